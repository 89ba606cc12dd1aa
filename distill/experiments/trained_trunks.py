"""What the stages do to trunks that they train: one row a term, on photos of a source that nobody saw.

    python -m distill.experiments trained-trunks --mos-folder BIQ2021 --pristine DIR [DIR ...]

``ablation.py`` measures what can be fitted to a frozen trunk; here trunks learn, by a few steps from the same fitted
start. Teacher and student are fitted, and trained, without the source that ranks them. "Change" is the mean of the
SRCC's changes against the start over the left-out sources, with half its 95 % interval, from resamples of photos that
both rows share. "Effect" is the same against the row that lacks the one switch that a row is about.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pocketiqa.files import atomic_file
from tqdm import tqdm

from distill.data.degraded_photos import mean_falling, pristine_photos, severity_ladders
from distill.data.mos_sets import MosSet, read_biq2021, split_by_hash
from distill.experiments.figures import KINDS_PER_PHOTO, RESAMPLES, change, srcc_estimate
from distill.experiments.fold import SCORING, Fold, Photos
from distill.experiments.table import Table
from distill.experiments.trained_rows import StudentSteps, TeacherSteps, student_rows, teacher_rows
from distill.networks.student import INPUT_SPEC, SHIPPED_STUDENT, Student, StudentFeatures, load_student
from distill.stages.alignment import AlignmentStage
from distill.stages.distil import DistilConfig, distil
from distill.stages.lesson import Lesson
from distill.stages.opinions import OpinionStage
from distill.stages.prepare_lesson import prepare_lesson
from distill.teacher.load import load_teacher
from distill.teacher.packaged import PACKAGED, embed_views
from distill.teacher.packaged_features import packaged_features
from distill.teacher.prompt_scores import prompt_scores
from distill.teacher.teacher import Teacher, TeacherConfig
from distill.training.distributed import this_process
from distill.training.feature_sets import ladder_features, scored_features
from distill.training.frozen_trunk import FrozenTrunk
from distill.training.run_folder import RunFolder
from distill.training.trainer import Objective, TrainerConfig, train

STARTS: dict[str, Callable[[], Student]] = {"imagenet": Student, "shipped": lambda: load_student(SHIPPED_STUDENT)}
_SCORES = "scores.npy"


@dataclass(frozen=True)
class TrainedTrunksConfig:
    """What is trained, how long, and what ranks it. The defaults are for two cores: two to four minutes a row.

    Attributes:
        mos_folder: a checkout of BIQ2021.
        pristine: folders of undistorted photos.
        teacher: the packaged teacher that teaches, and whose tower stages A and B train.
        trunk: what the student starts with: ImageNet's trunk, or the shipped one. That one has learned a teacher's
            scores of every source: only a row's change is fair to a source left out.
        rows: only rows whose name contains one of these, beside those that they are compared with; all by default.
        run: where every row's runs and scores are kept; a stopped one goes on.
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
    teacher: Literal[tuple(PACKAGED)] = "lite2"
    trunk: Literal[tuple(STARTS)] = "imagenet"
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


def photos_and_features(mos_set: MosSet, pristine: list[Path], config: TrainedTrunksConfig) -> Photos:
    """Features come from the cache where they are there; a tenth of the pristine photos is held out."""
    copies = severity_ladders(pristine, KINDS_PER_PHOTO, config.seed)
    student = FrozenTrunk(StudentFeatures(STARTS[config.trunk]()), INPUT_SPEC)
    of_student, of_teacher = (
        (
            scored_features(mos_set, trunk, config.cache),
            ladder_features(copies, trunk, config.cache),
        )
        for trunk in (student, packaged_features(config.teacher))
    )
    return Photos(mos_set, copies, split_by_hash([copy.photo for copy in copies], 0.1), of_student, of_teacher)


def lesson_of(fold: Fold) -> Lesson:
    """Nothing is held out: what ranks is the source left out, and figures on the others would cost more than steps."""
    lesson = prepare_lesson(
        fold.seen, fold.copies, fold.features, fold.embedding, INPUT_SPEC, fold.teacher_features
    )
    return replace(lesson, held_out=np.zeros(len(lesson.mos), dtype=bool))


def student_scores(how: StudentSteps, fold: Fold, folder: Path, config: TrainedTrunksConfig) -> np.ndarray:
    """Of a fold's ranked photos and judged copies, by a student trained without its source."""
    student = fold.student()
    if how.loss is not None:
        steps = replace(config.distillation, average=how.average)
        stage = DistilConfig(loss=how.loss, steps=steps, keep_start=how.keep_start)
        run = RunFolder(folder / "distillation", asdict(stage) | {"seed": config.seed})
        distil(student, lesson_of(fold), fold.text, SCORING, run, config.seed, stage)
    return fold.outputs(FrozenTrunk(student, INPUT_SPEC))[:, 0]


def teacher_scores(how: TeacherSteps, fold: Fold, folder: Path, config: TrainedTrunksConfig) -> np.ndarray:
    """The same by a teacher."""
    teacher = fold.teacher(how.context_tokens)
    trunk = teacher.visual.trunk
    if config.teacher == "clip-b16":
        # Half of the time on processors that multiply in it; the weights and their steps stay float32.
        trunk.forward = torch.autocast("cpu", torch.bfloat16)(trunk.forward)
    stages: list[tuple[Objective, TrainerConfig]] = []
    if how.alignment is not None:
        pristine = sorted({copy.photo for copy in fold.copies})
        stages.append((AlignmentStage(teacher, pristine, how.alignment), config.alignment))
    if how.opinions is not None:
        opinions = replace(how.opinions, height=teacher.input.height, width=teacher.input.width)
        stages.append((OpinionStage(teacher, [fold.seen], opinions), config.opinions))
    for stage, steps in stages:
        run = RunFolder(folder / type(stage).__name__, asdict(how) | {"steps": asdict(steps), "seed": config.seed})
        with this_process() as process:
            train(stage, steps, run, config.seed, process)
    teacher.cpu().eval()
    projection = teacher.visual.head.proj
    with torch.no_grad():
        features = torch.from_numpy(fold.outputs(packaged_features(config.teacher, trunk)))
        embedding = embed_views(features, projection.weight, projection.bias)
        return prompt_scores(embedding, teacher.text(), SCORING).score.numpy()


def measure_trained_trunks(config: TrainedTrunksConfig) -> Table:
    """A row a term; a cell is SRCC and half its 95 % interval.

    Raises:
        MosSetError: no BIQ2021, or no photos, there.
        RunError, TrainingStopped: a run cannot be begun or go on.
    """
    mos_set, pristine = read_biq2021(config.mos_folder, "train"), pristine_photos(config.pristine)
    photos = photos_and_features(mos_set, pristine, config)
    sources = [str(name) for name in np.unique(mos_set.sources)]
    share = DistilConfig().pseudo_labels

    def make_teacher(context_tokens: int) -> Teacher:
        return load_teacher(TeacherConfig(config.teacher, context_tokens=context_tokens))

    chosen = config.ranked, config.ladders, config.seed, share, make_teacher, STARTS[config.trunk]
    folds = [Fold(name, photos, *chosen) for name in sources]
    columns = [*(f"out {fold.source}" for fold in folds), "change", "effect", "ladders"]
    table = Table("trained", columns, _note(folds, config))
    _add_rows(table, student_scores, student_rows(), folds, config)
    _add_rows(table, teacher_scores, teacher_rows(), folds, config)
    return table


def _add_rows(
    table: Table,
    scores_of: Callable[[object, Fold, Path, TrainedTrunksConfig], np.ndarray],
    rows: dict[str, StudentSteps] | dict[str, TeacherSteps],
    folds: list[Fold],
    config: TrainedTrunksConfig,
) -> None:
    start = next(iter(rows))
    mos = [fold.ranked.mos for fold in folds]
    known: dict[str, list[np.ndarray]] = {}
    for name in tqdm(chosen_rows(rows, config.rows), desc="rows"):
        outputs = [kept_scores(scores_of, name, rows[name], fold, config) for fold in folds]
        known[name] = [of_fold[: len(fold.ranked)] for fold, of_fold in zip(folds, outputs)]
        cells = [srcc_estimate(score, opinion, config.seed) for score, opinion in zip(known[name], mos)]
        monotone = [mean_falling(fold.judged, of_fold[len(fold.ranked) :]) for fold, of_fold in zip(folds, outputs)]
        moved = [
            None if before == name or before is None else change(mos, known[before], known[name], config.seed)
            for before in (start, rows[name].without)
        ]
        table.rows[name] = [*cells, *moved, float(np.mean(monotone))]


def chosen_rows(rows: dict[str, StudentSteps] | dict[str, TeacherSteps], parts: list[str] | None) -> list[str]:
    """Names of the rows that are measured: those asked for, and what they are compared with."""
    start, *others = rows
    wanted = {name for name in others if parts is None or any(part in name for part in parts)}
    for name in reversed(others):
        if name in wanted and rows[name].without is not None:
            wanted.add(rows[name].without)
    return [name for name in rows if name in wanted or (name == start and wanted)]


def kept_scores(
    scores_of: Callable[[object, Fold, Path, TrainedTrunksConfig], np.ndarray],
    name: str,
    how: StudentSteps | TeacherSteps,
    fold: Fold,
    config: TrainedTrunksConfig,
) -> np.ndarray:
    """A row's scores in one fold, from the run before this one that left them; their checkpoints go, being large."""
    folder = config.run / re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") / fold.source
    not_in_scores = {"rows": None, "run": None, "cache": None, "csv": None}
    RunFolder(folder, asdict(how) | asdict(config) | not_in_scores)
    file = folder / _SCORES
    if not file.is_file():
        scores = scores_of(how, fold, folder, config)
        with atomic_file(file, "wb") as stream:
            np.save(stream, scores)
        for checkpoint in folder.rglob("checkpoint.pt"):
            checkpoint.unlink()
    return np.load(file)


def _note(folds: list[Fold], config: TrainedTrunksConfig) -> str:
    counts = ", ".join(f"{fold.source} {len(fold.ranked)}" for fold in folds)
    steps = ", ".join(
        f"{stage} {length.steps} steps of {length.batch} at {length.rate:g}"
        for stage, length in (("A", config.alignment), ("B", config.opinions), ("C", config.distillation))
    )
    return (
        f"n = {counts}; {len(folds[0].judged)} degraded copies; teacher {config.teacher}, trunk {config.trunk}; "
        f"stage {steps}; seed {config.seed}, {RESAMPLES} resamples."
    )
