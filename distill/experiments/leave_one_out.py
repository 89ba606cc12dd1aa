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
from torch import nn
from tqdm import tqdm

from distill.data.mos_sets import read_biq2021, split_by_hash
from distill.heads.frozen_features import FrozenTrunk, opinions_of
from distill.heads.linear import PLAIN, HeadConfig, Opinions, fit_heads
from distill.networks.backbone import IMAGENET_MEAN, IMAGENET_STD, lite0_backbone
from distill.networks.student import STAGE_CHANNELS, spatial_mean

_VALIDATION_SHARE = 0.2
_LAST = 1280
_STAGES = sum(STAGE_CHANNELS)


class EveryFeature(nn.Module):
    """More than the student reads: each stage's means, the last layer's means, each stage's mean deviations."""

    def __init__(self) -> None:
        super().__init__()
        self.network = lite0_backbone()

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        """V×(784 + 1280 + 784) for ``views`` of V×3×H×W in [0, 1]."""
        hidden = self.network.bn1(self.network.conv_stem((views - IMAGENET_MEAN) / IMAGENET_STD))
        means, deviations = [], []
        for stage in self.network.blocks:
            hidden = stage(hidden)
            means.append(spatial_mean(hidden))
            deviations.append(spatial_mean((hidden - means[-1]).abs()))
        last = spatial_mean(self.network.bn2(self.network.conv_head(hidden)))
        return torch.cat([*means, last, *deviations], dim=1).flatten(1)


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
    view = np.arange(2 * _STAGES + _LAST)
    means, last, deviations = np.split(view, [_STAGES, _STAGES + _LAST])
    both = {
        name: np.concatenate([columns, columns + len(view)])
        for name, columns in {"means": means, "last": last, "deviations": deviations, "all": view}.items()
    }
    # Features are compared under one plain fit; ``ablation.py`` compares fits of the chosen features.
    chosen, default = both["means"], PLAIN
    return {
        "last layer, whole view (the usual probe)": (usual_probe(), default),
        "last layer, both views": (both["last"], default),
        "stage means, whole view": (means, default),
        "stage means, detail view": (means + len(view), default),
        "**stage means, both views (chosen)**": (chosen, default),
        "stage means and deviations, both views": (np.concatenate([chosen, both["deviations"]]), default),
        "stage means and last layer, both views": (np.concatenate([chosen, both["last"]]), default),
        "all of them, both views": (both["all"], default),
        "chosen, L2 / 4": (chosen, replace(default, l2=default.l2 / 4)),
        "chosen, L2 × 4": (chosen, replace(default, l2=default.l2 * 4)),
        "chosen, MSE alone": (chosen, replace(default, plcc=0.0)),
        "usual probe, MSE alone": (usual_probe(), replace(default, plcc=0.0)),
    }


def usual_probe() -> np.ndarray:
    """The columns of :class:`EveryFeature`'s two views that most probes read: the last layer, of the whole view."""
    return np.arange(_STAGES, _STAGES + _LAST)


def leave_one_source_out(config: LeaveOneOutConfig) -> str:
    """A Markdown table of SRCC: pooled and within sources on a validation part, and on each source left out."""
    mos_set = read_biq2021(config.mos_folder, "train")
    opinions = opinions_of(mos_set, FrozenTrunk(EveryFeature()), config.cache)
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
