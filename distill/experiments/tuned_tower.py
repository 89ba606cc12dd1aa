"""Does a CLIP tower that learned opinions rank a source that it never saw better than the tower as it came?

    python -m distill.experiments tuned-tower --mos-folder BIQ2021 --run runs/tuned-tower

On a GPU; the answers stand in ``RESULTS.md``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from distill.data.fill_pool import SIDES, fill_pool, one_copy_each
from distill.data.mos_sets import read_biq2021
from distill.experiments.figures import srcc_estimate
from distill.experiments.table import Estimate, Table
from distill.stages.tune_tower import LinearScore, TowerConfig, tune
from distill.teacher.clip_features import clip_trunk
from distill.teacher.kernel_ridge import fit_kernel_ridge
from distill.teacher.low_rank import set_share
from distill.teacher.pool_features import features_of_pool
from distill.training.distributed import this_process


@dataclass(frozen=True)
class TunedTowerConfig:
    """What is measured.

    Attributes:
        mos_folder: BIQ2021's folder.
        run: where the towers' runs are kept.
        epochs: how often a tower sees each photo of the sources that it learns from.
        limit: so many photos, for a trial run.
        seed: of every draw.
        workers: processes that decode.
        csv: also write the rows there.
        tower: how a tower learns; its steps follow from ``epochs``.
    """

    mos_folder: Path
    run: Path = Path("runs/tuned-tower")
    epochs: float = 2.0
    limit: int | None = None
    seed: int = 0
    workers: int = os.cpu_count() or 1
    csv: Path | None = None
    tower: TowerConfig = field(default_factory=TowerConfig)


def measure_tuned_tower(config: TunedTowerConfig) -> Table:
    """SRCC of each source left out, by scores of the tower as it came and of the one that learned."""
    mos_set = read_biq2021(config.mos_folder)
    if config.limit is not None:
        chosen = np.random.default_rng(config.seed).permutation(len(mos_set))[: config.limit]
        mos_set = mos_set.take(np.sort(chosen))
    names = np.unique(mos_set.sources)
    found: dict[str, list[Estimate]] = {}
    with this_process() as process:
        pool = fill_pool(one_copy_each(mos_set.paths, config.seed), SIDES[0], process.device, config.workers)
        rows, mos = 2 * np.arange(len(mos_set)), torch.from_numpy(mos_set.mos).float().to(process.device)
        base = clip_trunk().to(process.device)
        known = features_of_pool(base, pool, rows)
        for name in names:
            out = mos_set.sources == name
            seen = torch.from_numpy(~out).to(process.device)
            linear = LinearScore(known[seen], mos[seen])
            scores = {
                "as it came, kernel ridge": fit_kernel_ridge(known[seen], mos[seen])(known[~seen]),
                "as it came, linear": linear(known[~seen]),
            }
            steps = max(1, round(config.epochs * int((~out).sum()) / config.tower.steps.batch))
            tower = replace(config.tower, steps=replace(config.tower.steps, steps=steps, every=steps))
            learnt, learning = mos_set.take(~out), rows[~out]
            tuned = tune(base, linear, pool, learnt, learning, tower, config.run / name, config.seed, process)
            for share in (0.5, 1.0):
                set_share(tuned.visual, share)
                scores[f"tuned, share {share:g}"] = linear(features_of_pool(tuned, pool, rows[out]))
            again = features_of_pool(tuned, pool, rows[~out])
            scores["tuned, kernel ridge on it"] = fit_kernel_ridge(again, mos[seen])(
                features_of_pool(tuned, pool, rows[out])
            )
            scores["mean of kernel ridge and tuned"] = (
                scores["as it came, kernel ridge"] + scores["tuned, share 1"]
            ) / 2
            for row, score in scores.items():
                judged = score.cpu().numpy().astype(np.float64)
                found.setdefault(row, []).append(srcc_estimate(judged, mos_set.mos[out], config.seed))
    note = f"SRCC of BIQ2021's sources left out, n = {len(mos_set)}, {config.epochs:g} epochs, seed {config.seed}."
    table = Table("scores", [*(f"out {name}" for name in names), "mean"], note)
    for row, estimates in found.items():
        table.rows[row] = [*estimates, float(np.mean([one.value for one in estimates]))]
    return table
