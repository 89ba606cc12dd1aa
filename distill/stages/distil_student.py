"""Stage C from data to student: gather the photos and the teacher's targets, train, average with the start.

``python -m distill student --teacher RUN`` calls this after the heads have been fitted to people's and the teacher's
scores: a probe first, so that the trunk is never pulled about by heads that know nothing yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from pocketiqa.preprocess import preprocess

from distill.data.degraded_photos import CLEAN, DegradedPhoto, attribute_targets, render
from distill.data.mos_sets import MosSet, split_by_hash
from distill.data.training_photos import read_photo
from distill.heads.frozen_features import FrozenTrunk, opinions_of
from distill.heads.projection import embed_views
from distill.networks.student import ATTRIBUTES, INPUT_SPEC, Student
from distill.stages.distillation import DistillationConfig, DistillationStage, Lesson
from distill.teacher.packaged import Lite2Features, keeps_packaged_trunk
from distill.teacher.targets import teacher_embeddings
from distill.teacher.teacher import Scoring, Teacher, read_prompts
from distill.training.distributed import this_process
from distill.training.run_folder import RunFolder
from distill.training.trainer import TrainerConfig, train

_LADDERS = "pristine and degraded"
_SPEC = str(INPUT_SPEC.to_dict())


@dataclass(frozen=True)
class DistilConfig:
    """Stage C.

    Attributes:
        told: share of the teacher's score, the rest being people's, in what the heads are fitted to.
        loss: weights of its terms.
        steps: steps and rates of the trunk's training; 0 steps leave it as it is.
        keep_start: share of the probe in the final student (WiSE-FT), 0 to 1.
    """

    told: float = 0.3
    loss: DistillationConfig = field(default_factory=DistillationConfig)
    steps: TrainerConfig = field(default_factory=lambda: TrainerConfig(steps=3000, batch=16, rate=3e-4, average=0.999))
    keep_start: float = 0.3


def distil(
    student: Student,
    lesson: Lesson,
    text: torch.Tensor,
    scoring: Scoring,
    folder: RunFolder,
    seed: int,
    config: DistilConfig,
) -> dict[str, float]:
    """Train ``student`` in place, from its fitted heads; returns figures on held-out photos.

    Args:
        student: with fitted heads.
        lesson: photos and the teacher's targets.
        text: the teacher's prompts, unit embeddings N×D.
        scoring: how they become a score.
        folder: of the run; one that broke off goes on.
        seed: of every draw.
        config: terms, steps and rates.
    """
    start = {name: tensor.clone() for name, tensor in student.state_dict().items()}
    torch.manual_seed(seed)
    stage = DistillationStage(student, lesson, text, scoring, config.loss)
    with this_process() as process:
        train(stage, config.steps, folder, seed, process)
    with torch.no_grad():
        for name, tensor in student.state_dict().items():
            tensor.lerp_(start[name].to(tensor.device), config.keep_start)
    figures = stage.validate()
    student.cpu().requires_grad_(True)
    return figures


def teacher_scores(teacher: Teacher, mos_set: MosSet, cache: Path) -> torch.Tensor:
    """The teacher's scores of a MOS set's photos, float32 n in [0, 1]."""
    embedding = _embeddings_of_photos(teacher, mos_set, cache)
    return read_prompts(embedding, teacher.text().detach(), teacher.config.scoring).score


def teacher_lesson(
    teacher: Teacher, mos_set: MosSet, copies: list[DegradedPhoto], features: torch.Tensor, cache: Path
) -> Lesson:
    """``prepare_lesson`` with the embeddings of ``teacher``, from ``cache`` where they are there."""
    embedding = [
        _embeddings_of_photos(teacher, mos_set, cache),
        teacher_embeddings(teacher, copies, partial(render, spec=INPUT_SPEC), f"at most 512, {_SPEC}", cache),
    ]
    return prepare_lesson(mos_set, copies, features, torch.cat(embedding))


def prepare_lesson(
    mos_set: MosSet, copies: list[DegradedPhoto], features: torch.Tensor, embedding: torch.Tensor
) -> Lesson:
    """Scored photos first, then copies; a tenth of each is held out, a photo's copies together.

    Args:
        mos_set: photos with people's scores.
        copies: of ladders of degradations.
        features: the student's own of all of them at its start, n×d.
        embedding: the teacher's of all of them, n×D of length 1.
    """
    scored = _undegraded(mos_set)

    def views(row: int) -> np.ndarray:
        return _seen(scored[row]) if row < len(scored) else render(copies[row - len(scored)], INPUT_SPEC)

    unknown = np.full((len(scored), len(ATTRIBUTES)), np.nan, dtype=np.float32)
    return Lesson(
        copies=[*scored, *copies],
        views=views,
        features=features,
        embedding=embedding,
        mos=torch.tensor([*mos_set.mos, *[np.nan] * len(copies)], dtype=torch.float32),
        attributes=torch.from_numpy(np.concatenate([unknown, attribute_targets(copies)])),
        sources=np.array([*mos_set.sources, *[_LADDERS] * len(copies)]),
        held_out=split_by_hash([copy.photo for copy in [*scored, *copies]], 0.1),
    )


def _embeddings_of_photos(teacher: Teacher, mos_set: MosSet, cache: Path) -> torch.Tensor:
    if not keeps_packaged_trunk(teacher.visual):
        return teacher_embeddings(teacher, _undegraded(mos_set), _seen, _SPEC, cache)
    # Its features are at hand: its projection was fitted to them.
    features = opinions_of(mos_set, FrozenTrunk(Lite2Features()), cache).features
    projection = teacher.visual.head.proj
    with torch.no_grad():
        return embed_views(features, projection.weight, projection.bias)


def _undegraded(mos_set: MosSet) -> list[DegradedPhoto]:
    return [DegradedPhoto(path, CLEAN, 0, 0) for path in mos_set.paths]


def _seen(copy: DegradedPhoto) -> np.ndarray:
    return preprocess(read_photo(copy.photo), INPUT_SPEC)
