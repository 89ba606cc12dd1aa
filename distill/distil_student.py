"""Stage C from data to student: gather the photos and the teacher's targets, train, average with the start.

``python -m distill student --teacher RUN`` calls this after the heads have been fitted: a probe first, so that the
trunk is never pulled about by heads that know nothing yet.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from pocketiqa.preprocess import preprocess

from distill.degraded_photos import CLEAN, Rung, attribute_targets, ladders, render
from distill.distributed import this_process
from distill.mos_sets import MosSet, split_by_hash
from distill.run_folder import RunFolder
from distill.stage_distillation import DistillationConfig, DistillationStage, Lesson
from distill.student import ATTRIBUTES, INPUT_SPEC, Student
from distill.teacher import Teacher
from distill.teacher_targets import teacher_embeddings
from distill.train_teacher import load_trained_teacher
from distill.trainer import TrainerConfig, train
from distill.training_photos import read_photo

_LADDERS = "pristine and degraded"


@dataclass(frozen=True)
class DistilConfig:
    """Stage C.

    Attributes:
        loss: weights of its terms.
        steps: steps and rates.
        keep_start: share of the probe in the final student (WiSE-FT), 0 to 1.
    """

    loss: DistillationConfig = field(default_factory=DistillationConfig)
    steps: TrainerConfig = field(default_factory=lambda: TrainerConfig(steps=3000, batch=16, rate=3e-4, average=0.999))
    keep_start: float = 0.3


def distil(
    student: Student,
    teacher_run: Path,
    mos_set: MosSet,
    pristine: list[Path],
    kinds_per_photo: int,
    run: Path,
    cache: Path,
    seed: int,
    config: DistilConfig,
) -> dict[str, float]:
    """Train ``student`` in place, from its probe; returns figures on held-out photos.

    Raises:
        TeacherError: ``teacher_run`` holds no trained teacher.
        RunError: ``run`` holds another run.
    """
    folder = RunFolder(run, dataclasses.asdict(config) | {"teacher": str(teacher_run), "seed": seed})
    teacher = load_trained_teacher(teacher_run)
    lesson = prepare_lesson(teacher, mos_set, ladders(pristine, kinds_per_photo, seed), cache)
    start = {name: tensor.clone() for name, tensor in student.state_dict().items()}
    torch.manual_seed(seed)
    stage = DistillationStage(student, lesson, teacher.text().detach(), teacher.config.scoring, config.loss)
    with this_process() as process:
        train(stage, config.steps, folder, seed, process)
    with torch.no_grad():
        for name, tensor in student.state_dict().items():
            tensor.lerp_(start[name].to(tensor.device), config.keep_start)
    figures = stage.validate()
    student.cpu().requires_grad_(True)
    return figures


def prepare_lesson(teacher: Teacher, mos_set: MosSet, rungs: list[Rung], cache: Path) -> Lesson:
    """Scored photos first, then rungs; a tenth of each is held out, a photo's rungs together."""
    scored = [Rung(path, CLEAN, 0, 0) for path in mos_set.paths]

    def seen(rung: Rung) -> np.ndarray:
        return preprocess(read_photo(rung.photo), INPUT_SPEC)

    def views(row: int) -> np.ndarray:
        return seen(scored[row]) if row < len(scored) else render(rungs[row - len(scored)])

    spec = str(INPUT_SPEC.to_dict())
    told = [
        teacher_embeddings(teacher, scored, seen, spec, cache),
        teacher_embeddings(teacher, rungs, render, f"at most 512, {spec}", cache),
    ]
    unknown = np.full((len(scored), len(ATTRIBUTES)), np.nan, dtype=np.float32)
    return Lesson(
        rungs=[*scored, *rungs],
        views=views,
        embedding=torch.cat(told),
        mos=torch.tensor([*mos_set.mos, *[np.nan] * len(rungs)], dtype=torch.float32),
        attributes=torch.from_numpy(np.concatenate([unknown, attribute_targets(rungs)])),
        sources=np.array([*mos_set.sources, *[_LADDERS] * len(rungs)]),
        held_out=split_by_hash([rung.photo for rung in [*scored, *rungs]], 0.1),
    )
