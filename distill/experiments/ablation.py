"""What helps on photos of a source that was never seen: one row a measure, frozen features, left-out sources.

    python -m distill.experiments ablation --mos-folder DIR --pristine DIR [DIR ...]

Every row fits a score head to two of BIQ2021's three sources and ranks the third; intervals are bootstrapped over its
photos. "In" is the mean SRCC within each source of a held-out tenth, "kinds" the mean SRCC over six kinds of photos
(``photo_kinds.py``), each left out in turn: three views of the same question, all on the train split. "Ladders" is the
mean rank correlation of level and score along ladders of pristine photos that no head saw. The teacher is the packaged
one, its projection fitted to the opinions of the same two sources: its targets never know the third either. "To
teacher" is the mean SRCC between a student and its teacher on the sources that neither saw.

"Beyond" is another set, whose scores no row is fitted to: there a row is fitted to all three sources. Leaving one out
cannot reward what tells photos of several kinds apart, since it ranks within one source and learns from two.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pocketiqa.parity import srcc
from tqdm import tqdm

from distill.data.degraded_photos import DegradedPhoto, mean_falling, pristine_photos, severity_ladders
from distill.data.mos_sets import MosSet, MosSetError, read_biq2021, read_scored_photos, split_by_hash
from distill.experiments.ablation_rows import TrunkFeatures, Trunks, Variant, variants
from distill.experiments.figures import KINDS_PER_PHOTO, RESAMPLES, srcc_estimate
from distill.experiments.photo_kinds import kinds_of_photos
from distill.experiments.table import Cell, Table
from distill.networks.student import INPUT_SPEC, StudentFeatures
from distill.teacher.load import load_teacher
from distill.teacher.packaged import PACKAGED
from distill.teacher.packaged_features import packaged_features
from distill.teacher.teacher import TeacherConfig
from distill.training.feature_sets import ladder_features, scored_features
from distill.training.features import LadderFeatures
from distill.training.frozen_trunk import FrozenTrunk


@dataclass(frozen=True)
class AblationConfig:
    """What the table is measured on.

    Attributes:
        mos_folder: a checkout of BIQ2021.
        pristine: folders of undistorted photos.
        teacher: the packaged teacher of the teacher's rows.
        rows: only rows whose name contains one of these; all by default.
        beyond_images: photos of another campaign, for a column of their own.
        beyond_mos: their scores, a CSV with the columns name and score (or mos).
        beyond_scale: the worst and the best score there can be in it.
        cache: where features are kept.
        seed: of ladders and resamples.
        csv: where the rows are written as well.
    """

    mos_folder: Path
    pristine: list[Path]
    teacher: Literal[tuple(PACKAGED)] = "lite2"
    rows: list[str] | None = None
    beyond_images: Path | None = None
    beyond_mos: Path | None = None
    beyond_scale: tuple[float, float] = (0.0, 1.0)
    cache: Path = Path("runs/cache")
    seed: int = 0
    csv: Path | None = None


@dataclass(frozen=True)
class _Question:
    """Which photos are left out, and what ranks a row.

    Attributes:
        scored: BIQ2021's train split.
        tenth: mask of the photos held out of every source.
        kind: number of each photo's kind.
        copies: held-out degraded photos.
        beyond: the other set, if any.
        seed: of resamples.
    """

    scored: MosSet
    tenth: np.ndarray
    kind: np.ndarray
    copies: list[DegradedPhoto]
    beyond: MosSet | None
    seed: int


def measure_ablation(config: AblationConfig) -> Table:
    """One row a variant.

    Raises:
        MosSetError: no BIQ2021, no photos, or only one of the set beyond's images and scores.
    """
    mos_set = read_biq2021(config.mos_folder, "train")
    if (config.beyond_images is None) != (config.beyond_mos is None):
        raise MosSetError("another set takes both: give --beyond-images with --beyond-mos")
    beyond = None
    if config.beyond_images is not None and config.beyond_mos is not None:
        beyond = read_scored_photos(config.beyond_images, config.beyond_mos, scale=config.beyond_scale)
    photos = pristine_photos(config.pristine)
    copies = severity_ladders(photos, KINDS_PER_PHOTO, config.seed)
    kept = split_by_hash([copy.photo for copy in copies], 0.1)

    @cache
    def trunks(name: str) -> TrunkFeatures:
        own = name == "student"
        trunk = FrozenTrunk(StudentFeatures(), INPUT_SPEC) if own else packaged_features(config.teacher)

        @cache
        def split_ladders() -> tuple[LadderFeatures, torch.Tensor]:
            whole = ladder_features(copies, trunk, config.cache)
            return whole.without(kept), whole.features[kept]

        return TrunkFeatures(
            scored_features(mos_set, trunk, config.cache),
            split_ladders,
            None if beyond is None else scored_features(beyond, trunk, config.cache),
        )

    question = _Question(
        mos_set,
        split_by_hash(mos_set.paths, 0.1),
        kinds_of_photos(trunks("student").scored.features, config.seed),
        [copy for copy, out in zip(copies, kept) if out],
        beyond,
        config.seed,
    )
    names, counts = np.unique(mos_set.sources, return_counts=True)
    columns = [*(f"out {name}" for name in names), "in", "kinds", "ladders", "to teacher"]
    note = _note(question, counts, len(photos), config)
    table = Table("head", columns + (["beyond"] if beyond else []), note)
    chosen = {
        name: variant
        for name, variant in variants(load_teacher(TeacherConfig(config.teacher)).text().detach()).items()
        if config.rows is None or any(part in name for part in config.rows)
    }
    for name, variant in tqdm(chosen.items(), desc="rows"):
        table.rows[name] = _cells(variant, trunks, question)
    return table


def _note(question: _Question, counts: np.ndarray, pristine: int, config: AblationConfig) -> str:
    sources = ", ".join(f"{name} {count}" for name, count in zip(np.unique(question.scored.sources), counts))
    note = (
        f"n = {len(question.scored)} photos ({sources}); {pristine} pristine photos, "
        f"{len({copy.photo for copy in question.copies})} of them held out with {len(question.copies)} degraded "
        f"copies; teacher {config.teacher}; seed {config.seed}, {RESAMPLES} resamples."
    )
    return note if question.beyond is None else f"{note} Beyond: n = {len(question.beyond)} photos."


def _cells(variant: Variant, trunks: Trunks, question: _Question) -> list[Cell]:
    scored, own = question.scored, trunks(variant.trunk)
    sources = np.unique(scored.sources)
    cells: list[Cell] = []
    monotone, followed = [], []
    for source in sources:
        out = scored.sources == source
        scorer = variant.fit(trunks, ~out)
        score = scorer(own.scored.features[out]).numpy()
        cells.append(srcc_estimate(score, scored.mos[out], question.seed))
        monotone.append(mean_falling(question.copies, scorer(own.held_out).numpy()))
        if variant.teacher is not None:
            taught = variant.teacher(trunks, ~out)(trunks("teacher").scored.features[out])
            followed.append(srcc(score, taught.numpy()))
    score = variant.fit(trunks, ~question.tenth)(own.scored.features).numpy()
    within = [question.tenth & (scored.sources == source) for source in sources]
    cells.append(float(np.mean([srcc(score[part], scored.mos[part]) for part in within])))
    apart = []
    for out in (question.kind == number for number in np.unique(question.kind)):
        score = variant.fit(trunks, ~out)(own.scored.features[out]).numpy()
        apart.append(srcc(score, scored.mos[out]))
    cells += [float(np.mean(apart)), float(np.mean(monotone)), float(np.mean(followed)) if followed else None]
    if question.beyond is not None:
        score = variant.fit(trunks, np.ones(len(scored), dtype=bool))(own.beyond.features).numpy()
        cells.append(srcc_estimate(score, question.beyond.mos, question.seed))
    return cells
