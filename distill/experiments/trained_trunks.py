"""What the stages do to trunks that they train: one row a term, on photos of a source that nobody saw.

    python -m distill.experiments trained-trunks --mos-folder BIQ2021 --pristine DIR [DIR ...]

``ablation.py`` measures what can be fitted to a frozen trunk; here trunks learn, by a few steps from the same fitted
start. Teacher and student are fitted, and trained, without the source that ranks them. "Change" is the mean of the
SRCC's changes against the start over the left-out sources, with half its 95 % interval, from resamples of photos that
both rows share.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import normalize
from tqdm import tqdm

from distill.data.degraded_photos import mean_falling, pristine_photos, severity_ladders
from distill.data.mos_sets import MosSet, read_biq2021, split_by_hash
from distill.experiments.figures import KINDS_PER_PHOTO, RESAMPLES, change, srcc_estimate
from distill.experiments.fold import SCORING, Fold, Photos
from distill.experiments.table import Table
from distill.experiments.trained_rows import StudentSteps, TeacherSteps, student_rows, teacher_rows
from distill.networks.student import INPUT_SPEC, StudentFeatures
from distill.stages.alignment import AlignmentStage
from distill.stages.distil import DistilConfig, distil
from distill.stages.lesson import Lesson
from distill.stages.opinions import OpinionStage
from distill.stages.prepare_lesson import prepare_lesson
from distill.teacher.load import load_teacher
from distill.teacher.packaged import Lite2Features
from distill.teacher.prompt_scores import prompt_scores
from distill.teacher.teacher import Teacher
from distill.training.distributed import this_process
from distill.training.feature_sets import ladder_features, scored_features
from distill.training.frozen_trunk import FrozenTrunk
from distill.training.run_folder import RunFolder
from distill.training.trainer import Objective, TrainerConfig, train


@dataclass(frozen=True)
class TrainedTrunksConfig:
    """What is trained, how long, and what ranks it. The defaults are for two cores: two to four minutes a row.

    Attributes:
        mos_folder: a checkout of BIQ2021.
        pristine: folders of undistorted photos.
        rows: only rows whose name contains one of these, beside the starts; all by default.
        run: where every row's runs are kept; a stopped one goes on.
        cache: where the frozen trunks' features are kept.
        seed: of every draw.
        ranked: photos of the source left out that are scored, at most.
        ladders: held-out pristine photos whose ladders are scored.
        distillation: stage C's steps, at the trunk's whole rate.
        alignment: stage A's steps.
        opinions: stage B's steps.
        csv: where the rows are written as well.
    """

    mos_folder: Path
    pristine: list[Path]
    rows: list[str] | None = None
    run: Path = Path("runs/trained-trunks")
    cache: Path = Path("runs/cache")
    seed: int = 0
    ranked: int = 150
    ladders: int = 6
    distillation: TrainerConfig = field(default_factory=lambda: TrainerConfig(steps=20, batch=8, rate=1e-4))
    alignment: TrainerConfig = field(default_factory=lambda: TrainerConfig(steps=8, batch=2, rate=3e-5))
    opinions: TrainerConfig = field(default_factory=lambda: TrainerConfig(steps=15, batch=8, rate=3e-5))
    csv: Path | None = None


class _Embedding(nn.Module):
    """A teacher's embedding of one photo, the mean direction of its views'."""

    def __init__(self, teacher: Teacher) -> None:
        super().__init__()
        self.teacher = teacher

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        return normalize(self.teacher.embed(views).mean(0), dim=0)


def photos_and_features(mos_set: MosSet, pristine: list[Path], seed: int, cache: Path) -> Photos:
    """Features come from ``cache`` where they are there; a tenth of the pristine photos is held out."""
    features = {}
    for module in (StudentFeatures, Lite2Features):
        trunk = FrozenTrunk(module(), INPUT_SPEC)
        on_ladders = ladder_features(pristine, KINDS_PER_PHOTO, seed, trunk, cache)
        features[module] = scored_features(mos_set, trunk, cache), on_ladders
    copies = severity_ladders(pristine, KINDS_PER_PHOTO, seed)
    return Photos(mos_set, copies, split_by_hash([copy.photo for copy in copies], 0.1), features)


def lesson_of(fold: Fold) -> Lesson:
    """Nothing is held out: what ranks is the source left out, and figures on the others would cost more than steps."""
    lesson = prepare_lesson(
        fold.seen, fold.copies, fold.features, fold.embedding, INPUT_SPEC, fold.teacher_features
    )
    return replace(lesson, held_out=np.zeros(len(lesson.mos), dtype=bool))


def student_scores(name: str, how: StudentSteps | None, fold: Fold, config: TrainedTrunksConfig) -> np.ndarray:
    """Of a fold's ranked photos and judged copies, by a student trained without its source."""
    student = fold.student()
    if how is not None:
        steps = replace(config.distillation, average=how.average)
        stage = DistilConfig(loss=how.loss, steps=steps, keep_start=how.keep_start)
        folder = _folder(config, name, fold, asdict(stage))
        distil(student, lesson_of(fold), fold.text, SCORING, folder, config.seed, stage)
    return fold.outputs(student)[:, 0]


def teacher_scores(name: str, how: TeacherSteps, fold: Fold, config: TrainedTrunksConfig) -> np.ndarray:
    """The same by a teacher."""
    teacher = fold.teacher(how.context_tokens)
    stages: list[tuple[Objective, TrainerConfig]] = []
    if how.alignment is not None:
        pristine = sorted({copy.photo for copy in fold.copies})
        stages.append((AlignmentStage(teacher, pristine, how.alignment), config.alignment))
    if how.opinions is not None:
        stages.append((OpinionStage(teacher, [fold.seen], how.opinions), config.opinions))
    for stage, steps in stages:
        folder = _folder(config, f"{name} {type(stage).__name__}", fold, asdict(how) | {"steps": asdict(steps)})
        with this_process() as process:
            train(stage, steps, folder, config.seed, process)
    embedding = torch.from_numpy(fold.outputs(_Embedding(teacher.cpu().eval())))
    with torch.no_grad():
        return prompt_scores(embedding, teacher.text(), SCORING).score.numpy()


def measure_trained_trunks(config: TrainedTrunksConfig) -> Table:
    """A row a term; a cell is SRCC and half its 95 % interval.

    Raises:
        MosSetError: no BIQ2021, or no photos, there.
        RunError, TrainingStopped: a run cannot be begun or go on.
    """
    mos_set, pristine = read_biq2021(config.mos_folder, "train"), pristine_photos(config.pristine)
    photos = photos_and_features(mos_set, pristine, config.seed, config.cache)
    sources = [str(name) for name in np.unique(mos_set.sources)]
    share = DistilConfig().pseudo_labels
    folds = [Fold(name, photos, config.ranked, config.ladders, config.seed, share, load_teacher) for name in sources]
    columns = [*(f"out {fold.source}" for fold in folds), "change", "ladders"]
    table = Table("trained", columns, _note(folds, config))
    _add_rows(table, student_scores, student_rows(), folds, config)
    _add_rows(table, teacher_scores, teacher_rows(), folds, config)
    return table


def _add_rows(
    table: Table,
    scores_of: Callable[[str, object, Fold, TrainedTrunksConfig], np.ndarray],
    rows: dict[str, object],
    folds: list[Fold],
    config: TrainedTrunksConfig,
) -> None:
    start, *others = rows
    chosen = [name for name in others if config.rows is None or any(part in name for part in config.rows)]
    mos = [fold.ranked.mos for fold in folds]
    before = None
    for name in tqdm([start, *chosen] if chosen else [], desc="rows"):
        outputs = [scores_of(name, rows[name], fold, config) for fold in folds]
        ranked = [of_fold[: len(fold.ranked)] for fold, of_fold in zip(folds, outputs)]
        cells = [srcc_estimate(score, opinion, config.seed) for score, opinion in zip(ranked, mos)]
        monotone = [mean_falling(fold.judged, of_fold[len(fold.ranked) :]) for fold, of_fold in zip(folds, outputs)]
        moved = None if before is None else change(mos, before, ranked, config.seed)
        table.rows[name] = [*cells, moved, float(np.mean(monotone))]
        before = before or ranked


def _note(folds: list[Fold], config: TrainedTrunksConfig) -> str:
    counts = ", ".join(f"{fold.source} {len(fold.ranked)}" for fold in folds)
    steps = ", ".join(
        f"{stage} {length.steps} steps of {length.batch} at {length.rate:g}"
        for stage, length in (("A", config.alignment), ("B", config.opinions), ("C", config.distillation))
    )
    return (
        f"n = {counts}; {len(folds[0].judged)} degraded copies; stage {steps}; "
        f"seed {config.seed}, {RESAMPLES} resamples."
    )


def _folder(config: TrainedTrunksConfig, row: str, fold: Fold, settings: dict[str, object]) -> RunFolder:
    name = re.sub(r"[^a-z0-9]+", "-", row.lower()).strip("-")
    return RunFolder(config.run / name / fold.source, settings | {"seed": config.seed})
