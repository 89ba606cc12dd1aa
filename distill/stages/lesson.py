"""What stage C knows about its photos."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Lesson:
    """Everything stage C knows about n photos, and how to see them.

    Attributes:
        views: from a row to the student's input, float32 V×3×H×W in [0, 1].
        windows: from a row, a side and a generator to a random window of each view, float32 V×3×side×side.
        features: the student's own at its start, n×d.
        embedding: the teacher's, n×D of length 1.
        teacher_features: the teacher's n×d, of which the student learns the principal components; None where no stage
            asks for them.
        mos: people's scores n in [0, 1], NaN where there is none.
        attributes: targets n×6 in [0, 1], NaN where unknown.
        kinds: int64 n, 0 for a pristine photo, else one number a kind and level; -1 where people scored faults that
            nobody named.
        ladders: the rows of each severity ladder, the clean photo first.
        sources: n names; a batch is of one source.
        held_out: mask n; these photos validate and teach nothing.
    """

    views: Callable[[int], np.ndarray]
    windows: Callable[[int, int, np.random.Generator], np.ndarray]
    features: torch.Tensor
    embedding: torch.Tensor
    mos: torch.Tensor
    attributes: torch.Tensor
    kinds: torch.Tensor
    ladders: list[list[int]]
    sources: np.ndarray
    held_out: np.ndarray
    teacher_features: torch.Tensor | None = None
