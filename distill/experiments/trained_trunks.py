"""What the stages do to trunks that they train: one row a term, on photos of a source that nobody saw.

    python -m distill trained-trunks --mos-folder BIQ2021 --pristine DIR [DIR ...]

``ablation.py`` measures what can be fitted to a frozen trunk; here trunks learn, by a few steps from the same fitted
start. Teacher and student are fitted, and trained, without the source that ranks them. "Change" is the mean of the
SRCC's changes against the start over the left-out sources, with half its 95 % interval, from resamples of photos that
both rows share.
"""

from __future__ import annotations

import re
import sys
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import numpy as np
import torch
from pocketiqa.parity import srcc
from torch import nn
from torch.nn.functional import normalize
from tqdm import tqdm

from distill.data.degraded_photos import pristine_photos
from distill.data.mos_sets import read_biq2021
from distill.experiments.ablation import falls, with_interval
from distill.experiments.fold import SCORING, Fold, photos_and_features
from distill.networks.student import INPUT_SPEC
from distill.stages.alignment import AlignmentConfig, AlignmentStage
from distill.stages.distil_student import DistilConfig, distil
from distill.stages.distillation import DistillationConfig
from distill.stages.opinions import OpinionConfig, OpinionStage
from distill.teacher.teacher import Teacher, read_prompts
from distill.training.distributed import this_process
from distill.training.run_folder import RunFolder
from distill.training.trainer import Objective, TrainerConfig, train

_RESAMPLES = 500


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


class _Embedding(nn.Module):
    """A teacher's embedding of one photo, the mean direction of its views'."""

    def __init__(self, teacher: Teacher) -> None:
        super().__init__()
        self.teacher = teacher

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        return normalize(self.teacher.embed(views).mean(0), dim=0)


@dataclass(frozen=True)
class TeacherSteps:
    """Which stages a teacher goes through; none is its start."""

    alignment: AlignmentConfig | None = None
    opinions: OpinionConfig | None = None
    context_tokens: int = 0


def student_rows(config: TrainedTrunksConfig) -> dict[str, DistilConfig | None]:
    """Name of a row → stage C's settings; None is the start."""
    nothing = DistillationConfig(**dict.fromkeys([term.name for term in fields(DistillationConfig)], 0))
    # The first stages cost half of the time and stay.
    trunk = {"trunk_rate": 1.0, "frozen_stages": 3}
    supervised = replace(nothing, opinions=1.0, attributes=1.0, **trunk)
    whole = DistillationConfig(**trunk)

    def trained(loss: DistillationConfig, keep_start: float = 0.0, average: float = 0.0) -> DistilConfig:
        return DistilConfig(loss=loss, steps=replace(config.distillation, average=average), keep_start=keep_start)

    def also(**terms: float) -> DistilConfig:
        return trained(replace(supervised, **terms))

    return {
        "student: fitted heads, frozen trunk": None,
        "student: plain fine-tune to people's scores": also(),
        "student: the same, heads trained too": also(heads_rate=1.0),
        "student: the same, near the frozen features": also(keep_features=whole.keep_features),
        "student: the same, teacher's score": also(score=whole.score),
        "student: the same, teacher's ranking of pairs": also(ranking=whole.ranking),
        "student: the same, teacher's embedding, squared error": also(embedding=whole.embedding),
        "student: the same, teacher's embedding, angle": also(cosine=1.0),
        "student: the same, teacher's grades": also(grades=whole.grades),
        "student: the same, teacher's antonym pairs": also(pairs=whole.pairs),
        "student: the same, its score with the reference known (CKDN)": also(score=whole.score, privileged=True),
        "student: the same, its score weighed by its confidence": also(score=whole.score, confident=True),
        "student: the same, kind × level named (CONTRIQUE)": also(kinds=0.1),
        "student: all of stage C": trained(whole),
        "student: all of it, half of the start's weights (WiSE-FT)": trained(whole, keep_start=0.5),
        "student: all of it, moving average of weights": trained(whole, average=0.9),
    }


def teacher_rows() -> dict[str, TeacherSteps]:
    """Name of a row → the stages."""
    seen = OpinionConfig(INPUT_SPEC.height, INPUT_SPEC.width, validation=0)
    none = replace(seen, fidelity=0.0, mse=0.0, plcc=0.0)
    return {
        "teacher: fitted projection, frozen trunk": TeacherSteps(),
        "teacher: stage A": TeacherSteps(AlignmentConfig()),
        "teacher: stage B": TeacherSteps(opinions=seen),
        "teacher: stages A and B": TeacherSteps(AlignmentConfig(), seen),
        "teacher: stage A, symmetric negatives (TripletCLIP)": TeacherSteps(AlignmentConfig(symmetric=1.0)),
        "teacher: stage A, attributes' pairs": TeacherSteps(AlignmentConfig(attributes=1.0)),
        "teacher: stage A, learnable context": TeacherSteps(AlignmentConfig(), context_tokens=4),
        "teacher: stage B, fidelity alone": TeacherSteps(opinions=replace(none, fidelity=1.0)),
        "teacher: stage B, squared error alone": TeacherSteps(opinions=replace(none, mse=1.0)),
        "teacher: stage B, correlation alone": TeacherSteps(opinions=replace(none, plcc=1.0)),
    }


def student_scores(name: str, how: DistilConfig | None, fold: Fold, config: TrainedTrunksConfig) -> np.ndarray:
    """Of a fold's ranked photos and judged copies, by a student trained without its source."""
    student = fold.student()
    if how is not None:
        folder = _folder(config, name, fold, asdict(how))
        distil(student, fold.lesson, fold.text, SCORING, folder, config.seed, how)
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
        return read_prompts(embedding, teacher.text(), SCORING).score.numpy()


def measure_trained_trunks(config: TrainedTrunksConfig) -> str:
    """A Markdown table; a cell is SRCC and half its 95 % interval.

    Raises:
        MosSetError: no BIQ2021, or no photos, there.
        RunError, TrainingStopped: a run cannot be begun or go on.
    """
    mos_set, pristine = read_biq2021(config.mos_folder, "train"), pristine_photos(config.pristine)
    photos = photos_and_features(mos_set, pristine, config.seed, config.cache)
    sources = [str(name) for name in np.unique(mos_set.sources)]
    folds = [Fold(name, photos, config.ranked, config.ladders, config.seed) for name in sources]
    trainers = {student_scores: student_rows(config), teacher_scores: teacher_rows()}
    lines = [
        f"| trained | {' | '.join(f'out {fold.source}' for fold in folds)} | change | ladders |",
        "| --- |" + " ---: |" * (len(folds) + 2),
    ]
    mos = [fold.ranked.mos for fold in folds]
    for scores_of, rows in trainers.items():
        start, *others = rows
        chosen = [name for name in others if config.rows is None or any(part in name for part in config.rows)]
        before = None
        for name in tqdm([start, *chosen] if chosen else [], desc="rows"):
            outputs = [scores_of(name, rows[name], fold, config) for fold in folds]
            ranked = [of_fold[: len(fold.ranked)] for fold, of_fold in zip(folds, outputs)]
            cells = [with_interval(score, opinion, config.seed) for score, opinion in zip(ranked, mos)]
            cells.append("–" if before is None else change(mos, before, ranked, config.seed))
            before = before or ranked
            monotone = np.mean([falls(fold.judged, o[len(fold.ranked) :]) for fold, o in zip(folds, outputs)])
            lines.append(f"| {name} | {' | '.join(cells)} | {monotone:.3f} |")
            tqdm.write(lines[-1], file=sys.stderr)
    counts = ", ".join(f"{fold.source} {len(fold.ranked)}" for fold in folds)
    steps = ", ".join(
        f"{stage} {length.steps} steps of {length.batch} at {length.rate:g}"
        for stage, length in (("A", config.alignment), ("B", config.opinions), ("C", config.distillation))
    )
    note = f"n = {counts}; {len(folds[0].judged)} copies; stage {steps}; seed {config.seed}, {_RESAMPLES} resamples."
    return "\n".join([*lines, "", note])


def _folder(config: TrainedTrunksConfig, row: str, fold: Fold, settings: dict[str, object]) -> RunFolder:
    name = re.sub(r"[^a-z0-9]+", "-", row.lower()).strip("-")
    return RunFolder(config.run / name / fold.source, settings | {"seed": config.seed})


def change(mos: list[np.ndarray], before: list[np.ndarray], after: list[np.ndarray], seed: int) -> str:
    """The mean change of SRCC over the folds, and half its 95 % interval, photos being drawn once for both.

    Args:
        mos: of each fold's photos.
        before: their scores.
        after: the same.
        seed: of the draws.
    """
    random = np.random.default_rng(seed)

    def mean(rows: list[np.ndarray]) -> float:
        by_fold = zip(mos, before, after, rows)
        return float(np.mean([srcc(new[row], m[row]) - srcc(old[row], m[row]) for m, old, new, row in by_fold]))

    sizes = [len(of_fold) for of_fold in mos]
    draws = [mean([random.integers(0, size, size) for size in sizes]) for _ in range(_RESAMPLES)]
    low, high = np.quantile(draws, (0.025, 0.975))
    return f"{mean([np.arange(size) for size in sizes]):+.3f} ± {(high - low) / 2:.3f}"
