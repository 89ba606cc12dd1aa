"""What do the teacher's answers about further photos and about ladders give to the student's heads?

    python -m distill.experiments further-labels --mos-folder BIQ2021 --pristine DIR [DIR ...] --trunk runs/trunk \
        --labels runs/labels.csv --outside SR4KIQA sr4kiqa.csv PARA para.csv

The trunk stays as it was trained; each row fits heads to its features as ``python -m distill student --trunk …
--labels …`` does. Every figure is the mean over ``seeds`` fits, and so is the half of its interval, which is over
photos. The columns are those of ``input_sizes.py``; "change" is against heads that learn of the scored photos alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from distill.data.mos_sets import VALIDATION_SHARE, split_by_hash
from distill.experiments.figures import RESAMPLES, mean_over_fits
from distill.experiments.ranked_photos import read_ranked_photos
from distill.experiments.table import Table
from distill.heads.hidden_units import HiddenUnitsConfig, fit_hidden_units, score_of
from distill.networks.student import INPUT_SPEC, StudentFeatures
from distill.stages.trunk_run import load_trunk_run
from distill.training.feature_sets import ladder_features, scored_features
from distill.training.features import LadderFeatures, ScoredFeatures
from distill.training.frozen_trunk import FrozenTrunk
from distill.training.labels import labelled_features, read_labels
from distill.training.run_folder import RunError


@dataclass(frozen=True)
class FurtherLabelsConfig:
    """What is compared.

    Attributes:
        mos_folder: BIQ2021's folder.
        pristine: folders of undistorted photos, as ``labels`` was made with.
        trunk: the run folder of a trained trunk.
        labels: what ``python -m distill labels`` wrote.
        outside: folders and tables (``name,mos``, on any scale) of photos that nothing is fitted to.
        seeds: fits a row.
        cache: where features are kept.
        seed: of ladders and resamples, and the first fit's.
        csv: also write the rows there.
    """

    mos_folder: Path
    pristine: list[Path]
    trunk: Path
    labels: Path
    outside: list[tuple[Path, Path]] = field(default_factory=list)
    seeds: int = 3
    cache: Path = Path("runs/cache")
    seed: int = 0
    csv: Path | None = None


@dataclass(frozen=True)
class _Row:
    """What a head learns of beside the scored photos, its share of the teacher's scores, and its ranking loss."""

    photos: bool = False
    ladders: bool = False
    ranking: float = HiddenUnitsConfig.ranking
    share: float = 1.0


_ROWS = {
    "scored photos alone": _Row(),
    "and photos that nobody scored": _Row(photos=True),
    "and ladders": _Row(ladders=True),
    "both": _Row(photos=True, ladders=True),
    "both, ranking × 2": _Row(photos=True, ladders=True, ranking=0.8),
    "both, ranking × 2, three tenths people's (shipped)": _Row(photos=True, ladders=True, ranking=0.8, share=0.7),
    "scored photos alone, ranking × 2": _Row(ranking=0.8),
    "scored photos alone, three tenths people's": _Row(share=0.7),
}


def measure_further_labels(config: FurtherLabelsConfig) -> Table:
    """One row a choice of labels.

    Raises:
        MosSetError: a folder, a table or a photo is missing.
        RunError: there is no trained trunk, or no labels of further photos and of copies.
    """
    labels = read_labels(config.labels)
    photos = read_ranked_photos(config.mos_folder, config.pristine, config.outside, None, config.seed)
    told = labels.of(photos.scored)
    if not labels.copies or not labels.photos.keys() - set(photos.scored.paths):
        raise RunError(
            f"{config.labels} has labels of {len(labels.photos)} photos, {len(photos.scored)} of them scored, and of "
            f"{len(labels.copies)} copies; write it with --photos and --pristine, whose effect is asked here"
        )
    trunk = FrozenTrunk(StudentFeatures(load_trunk_run(config.trunk).student()), INPUT_SPEC)
    scored = scored_features(photos.scored, trunk, config.cache)
    ladders = ladder_features(photos.copies, trunk, config.cache)
    further, copies = labelled_features(labels, photos.scored, trunk, config.cache)
    learnt = copies.take(~split_by_hash([copy.photo for copy in labels.copies], VALIDATION_SHARE))
    outside = [scored_features(one, trunk, config.cache).features for one in photos.outside.values()]
    ranked = [scored.features[photos.held_out], *outside, ladders.features[photos.unlearnt]]

    def scores(row: _Row, seed: int) -> list[np.ndarray]:
        teaching = scored.blended(told, row.share).take(~photos.held_out)
        for used, more in ((row.photos, further), (row.ladders, learnt)):
            teaching = teaching.joined(more) if used else teaching
        return _scores(teaching, ladders.without(photos.unlearnt), row.ranking, seed, ranked)

    table = Table(
        "learns of",
        photos.columns(),
        f"{photos}; {len(further.mos)} photos that nobody scored, {len(learnt.mos)} labelled copies. Means over "
        f"{config.seeds} fits, seeds from {config.seed}; {RESAMPLES} resamples.",
    )
    seeds = range(config.seed, config.seed + config.seeds)
    found = {name: [scores(row, seed) for seed in seeds] for name, row in tqdm(_ROWS.items(), desc="rows")}
    before = next(iter(found.values()))
    for name, fits in found.items():
        table.rows[name] = mean_over_fits([photos.cells(*pair, told, config.seed) for pair in zip(fits, before)])
    return table


def _scores(
    teaching: ScoredFeatures, ladders: LadderFeatures, ranking: float, seed: int, ranked: list[torch.Tensor]
) -> list[np.ndarray]:
    head = fit_hidden_units(teaching, ladders, replace(HiddenUnitsConfig(), ranking=ranking), seed)
    return [score_of(features, head).numpy() for features in ranked]
