"""Leave one source out: does a head that never saw a source of photos rank its photos?

    python -m distill.experiments leave-one-out --mos-folder DIR

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
from distill.experiments.linear_score import PLAIN, LinearScoreConfig, fit_linear_score, linear_score
from distill.experiments.table import Table
from distill.networks.backbone import IMAGENET_MEAN, IMAGENET_STD, lite0_backbone
from distill.networks.student import INPUT_SPEC, STAGE_CHANNELS, Linear, spatial_mean
from distill.training.feature_sets import scored_features
from distill.training.features import ScoredFeatures
from distill.training.frozen_trunk import FrozenTrunk

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
        csv: where the rows are written as well.
    """

    mos_folder: Path
    cache: Path = Path("runs/cache")
    csv: Path | None = None


def rows() -> dict[str, tuple[np.ndarray, LinearScoreConfig]]:
    """Name of a row → the features it may use and how its head is fitted."""
    view = np.arange(2 * _STAGES + _LAST)
    means, last, deviations = np.split(view, [_STAGES, _STAGES + _LAST])
    both = {
        name: np.concatenate([columns, columns + len(view)])
        for name, columns in {"means": means, "last": last, "deviations": deviations, "all": view}.items()
    }
    # Features are compared under one plain fit; ``ablation_rows.py`` compares fits of the chosen features.
    chosen, default = both["means"], PLAIN
    return {
        "last layer, whole view (the usual probe)": (last, default),
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
        "usual probe, MSE alone": (last, replace(default, plcc=0.0)),
    }


def leave_one_source_out(config: LeaveOneOutConfig) -> Table:
    """SRCC: pooled and within sources on a validation part, and on each source left out.

    Raises:
        MosSetError: no BIQ2021 there.
    """
    mos_set = read_biq2021(config.mos_folder, "train")
    scored = scored_features(mos_set, FrozenTrunk(EveryFeature(), INPUT_SPEC), config.cache)
    held_out = split_by_hash(mos_set.paths, _VALIDATION_SHARE)
    names, counts = np.unique(scored.sources, return_counts=True)
    count = ", ".join(f"{name} {number}" for name, number in zip(names, counts))
    columns = ["pooled", *(f"in {name}" for name in names), *(f"out {name}" for name in names)]
    table = Table("head", columns, f"n = {len(mos_set)} photos ({count}); validation part {int(held_out.sum())}.")
    for name, (used, how) in tqdm(rows().items(), desc="heads"):
        head = fit_linear_score(scored.take(~held_out), None, how, used)
        inside = [_srcc(scored.take(held_out & (scored.sources == source)), head) for source in names]
        outside = [
            _srcc(
                scored.take(scored.sources == source),
                fit_linear_score(scored.take(scored.sources != source), None, how, used),
            )
            for source in names
        ]
        table.rows[name] = [_srcc(scored.take(held_out), head), *inside, *outside]
    return table


def _srcc(scored: ScoredFeatures, head: Linear) -> float:
    return srcc(linear_score(scored.features, head).numpy(), scored.mos.numpy())
