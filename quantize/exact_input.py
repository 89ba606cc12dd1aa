"""The trunk's input moved by half a step of int8, so that all 256 values of a photo's pixels survive rounding.

A photo's pixels k/255 reach the stem as 2k/255 - 1: odd multiples of 1/255. An int8 grid holds zero and steps by
2/255, so every pixel falls between two of its values and is rounded up or down by 1/255: noise that a smooth
photo did not have, and that a quality score is made to see. Moved by 1/255 the pixels are the grid's own values,
and what moved is taken back, exactly, in the stem's BatchNorm.
"""

from __future__ import annotations

import torch

from distill.networks.student import Student

STEM = "trunk.stem.0"
_HALF_STEP = 1 / 255
# The range whose scale is 2/255 and whose zero point is an integer: pixels 0 and 255, moved.
INPUT_RANGE = (-1 + _HALF_STEP, 1 + _HALF_STEP)


@torch.no_grad()
def make_input_exact(student: Student) -> Student:
    """Move the trunk's input, in place; the student computes what it did, but for its zero padding's 1/255."""
    convolution, norm = student.trunk.stem
    student.trunk.mean -= _HALF_STEP / 2  # before the division by 0.5
    norm.running_mean += convolution.weight.sum((1, 2, 3)) * _HALF_STEP
    return student
