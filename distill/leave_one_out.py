"""Leave one source out: does a head that never saw a source of photos rank its photos?

    python -m distill leave-one-out --mos-folder DIR

A pooled validation figure rewards a model that tells the sources apart; this one cannot. Rows are the choices
that the student rests on: which depths it reads, which views it sees, how hard its weights are held down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from pocketiqa.parity import srcc
from tqdm import tqdm

from distill.frozen_features import FrozenTrunk
from distill.heads import HeadConfig, Opinions, fit_heads
from distill.mos_sets import read_biq2021, split_by_hash
from distill.student import FIRST_MAPPED_STAGE, LAYOUT, STAGE_CHANNELS, Student
from distill.train_student import opinions_of

_VALIDATION_SHARE = 0.2
_LATE = sum(STAGE_CHANNELS[FIRST_MAPPED_STAGE:])


@dataclass(frozen=True)
class LeaveOneOutConfig:
    """What the table is measured on.

    Attributes:
        mos_folder: a checkout of BIQ2021.
        cache: where the frozen trunk's features are kept.
    """

    mos_folder: Path
    cache: Path = Path("runs/cache")


def rows() -> dict[str, tuple[np.ndarray, HeadConfig]]:
    """Name of a row → the features it may use and how its head is fitted."""
    top = np.arange(_LATE, LAYOUT.local)
    means = np.concatenate([np.arange(_LATE), np.arange(LAYOUT.local, LAYOUT.local + LAYOUT.early)])
    everything = np.arange(LAYOUT.width)
    detail = LAYOUT.width  # the second view's features follow the first's
    default = HeadConfig()
    return {
        "last layer, whole view (the usual probe)": (top, default),
        "last layer, both views": (np.concatenate([top, top + detail]), default),
        "stage means, whole view": (means, default),
        "stage means, both views": (np.concatenate([means, means + detail]), default),
        "every feature, whole view": (everything, default),
        "every feature, detail view": (everything + detail, default),
        "every feature, both views (shipped)": (np.arange(2 * LAYOUT.width), default),
        "shipped, L2 / 4": (np.arange(2 * LAYOUT.width), replace(default, l2=default.l2 / 4)),
        "shipped, L2 × 4": (np.arange(2 * LAYOUT.width), replace(default, l2=default.l2 * 4)),
        "shipped, MSE alone": (np.arange(2 * LAYOUT.width), replace(default, plcc=0.0)),
    }


def leave_one_source_out(config: LeaveOneOutConfig) -> str:
    """A Markdown table of SRCC: pooled and within sources on a validation part, and on each source left out."""
    mos_set = read_biq2021(config.mos_folder, "train")
    opinions = opinions_of(mos_set, FrozenTrunk(Student()), config.cache)
    held_out = split_by_hash(mos_set.paths, _VALIDATION_SHARE)
    sources = [str(name) for name in np.unique(opinions.sources)]
    figures = {
        name: _in_domain(opinions, held_out, columns, heads)
        + [
            _srcc(opinions, opinions.sources != source, opinions.sources == source, columns, heads)
            for source in sources
        ]
        for name, (columns, heads) in tqdm(rows().items(), desc="heads")
    }
    counts = ", ".join(f"{name} {int((opinions.sources == name).sum())}" for name in sources)
    note = f"n = {len(mos_set)} photos ({counts}); validation part {int(held_out.sum())}."
    columns = ["pooled", *(f"in {name}" for name in sources), *(f"out {name}" for name in sources)]
    return markdown("head", columns, figures, note)


def markdown(what: str, columns: list[str], rows: dict[str, list[float]], note: str) -> str:
    """A Markdown table of figures with three digits, and a note below."""
    lines = [f"| {what} | " + " | ".join(columns) + " |", "| --- |" + " ---: |" * len(columns)]
    lines += [f"| {name} | " + " | ".join(f"{value:.3f}" for value in values) + " |" for name, values in rows.items()]
    return "\n".join([*lines, "", note])


def _in_domain(opinions: Opinions, held_out: np.ndarray, columns: np.ndarray, heads: HeadConfig) -> list[float]:
    weight, bias = fit_heads(opinions.take(~held_out), None, heads, columns)
    rest = opinions.take(held_out)
    score = _score(rest.features, weight, bias)
    within = [rest.sources == name for name in np.unique(rest.sources)]
    mos = rest.mos.numpy()
    return [srcc(score, mos), *(srcc(score[rows], mos[rows]) for rows in within)]


def _srcc(opinions: Opinions, train: np.ndarray, test: np.ndarray, columns: np.ndarray, heads: HeadConfig) -> float:
    weight, bias = fit_heads(opinions.take(train), None, heads, columns)
    return srcc(_score(opinions.features[test], weight, bias), opinions.mos[test].numpy())


def _score(features: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> np.ndarray:
    return torch.sigmoid(features @ weight[0] + bias[0]).numpy()
