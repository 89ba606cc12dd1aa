"""What each view, each depth and each hidden unit added to a photo's score.

python -m distill explain PHOTO
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from pocketiqa.preprocess import preprocess

from distill.networks.score_parts import score_parts
from distill.networks.student import SHIPPED_STUDENT, load_student


@dataclass(frozen=True)
class ExplainConfig:
    """Which photo, and which student.

    Attributes:
        photo: its file.
        weights: a student's safetensors; by default the shipped one's.
    """

    photo: tyro.conf.Positional[Path]
    weights: Path = SHIPPED_STUDENT


def explain_score(config: ExplainConfig) -> dict[str, object]:
    """The parts of the score's logit, JSON-ready.

    Raises:
        FileNotFoundError, ValueError: no such student.
        PhotoError: the photo cannot be read.
    """
    student = load_student(config.weights)
    return score_parts(student, torch.from_numpy(preprocess(config.photo, student.input))).to_dict()
