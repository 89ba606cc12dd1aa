"""Channels scaled to similar ranges: another network inside, the same one outside."""

from __future__ import annotations

import copy

import numpy as np
import torch
from tiny_student import tiny_inputs

from distill.networks.student import SHIPPED_STUDENT, load_student
from quantize.equalization import equalize


def test_equalized_channels_have_closer_ranges_and_the_student_says_what_it_said(photos: dict[str, np.ndarray]) -> None:
    student = load_student(SHIPPED_STUDENT)
    equalized = copy.deepcopy(student)
    inputs = tiny_inputs(photos, 2)
    with torch.no_grad():
        equalize(equalized, inputs)
        for views in inputs:
            for before, after in zip(student(views), equalized(views)):
                np.testing.assert_allclose(after.numpy(), before.numpy(), atol=1e-4)
        views = next(iter(inputs))
        maps = zip(student.trunk(views), equalized.trunk(views))
        spreads = [[_spread(stage) for stage in pair] for pair in maps]
    assert len(spreads) == 7
    # At half strength a range becomes about its square root.
    assert all(after < before**0.7 for before, after in spreads), spreads


def _spread(stage: torch.Tensor) -> float:
    """Largest channel's range over the median one's."""
    ranges = stage.abs().amax((0, 2, 3))
    return float(ranges.max() / ranges.median())
