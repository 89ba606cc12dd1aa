"""Stage C from lesson to student: train, then average with the start.

``python -m distill student --teacher RUN`` calls this after the heads have been fitted to people's scores and the
teacher's pseudo-labels, so that the trunk is never pulled about by heads that know nothing yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from distill.networks.folding import folded_batchnorms
from distill.networks.student import Student
from distill.stages.distillation import DistillationConfig, DistillationStage
from distill.stages.lesson import Lesson
from distill.teacher.prompt_scores import Scoring
from distill.training.distributed import this_process
from distill.training.run_folder import RunFolder
from distill.training.trainer import TrainerConfig, train


@dataclass(frozen=True)
class DistilConfig:
    """Stage C.

    Attributes:
        pseudo_labels: share of the teacher's score, the rest being people's, in what the heads are fitted to.
        loss: weights of its terms.
        steps: steps and rates of the trunk's training; 0 steps leave it as it is.
        keep_start: share of the start in the final student (WiSE-FT), 0 to 1.
    """

    pseudo_labels: float = 0.3
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
    with folded_batchnorms(student.trunk):
        stage = DistillationStage(student, lesson, text, scoring, config.loss)
        with this_process() as process:
            train(stage, config.steps, folder, seed, process)
        stage.cpu()
    with torch.no_grad():
        for name, tensor in student.state_dict().items():
            tensor.lerp_(start[name], config.keep_start)
    figures = stage.to(process.device).validate()
    student.cpu().requires_grad_(True)
    return figures
