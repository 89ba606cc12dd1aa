"""Figures that several experiments take: SRCC with its interval, and how well ladders fall."""

from __future__ import annotations

import numpy as np
from pocketiqa.parity import srcc

from distill.data.degraded_photos import CLEAN, DegradedPhoto
from distill.data.intervals import srcc_interval
from distill.data.monotonicity import falling
from distill.experiments.table import Estimate

KINDS_PER_PHOTO = 2  # severity ladders of each pristine photo, for every trunk
RESAMPLES = 500


def srcc_estimate(score: np.ndarray, mos: np.ndarray, seed: int) -> Estimate:
    """SRCC and half its 95 % interval, bootstrapped over the n photos."""
    low, high = srcc_interval(score, mos, RESAMPLES, seed)
    return Estimate(srcc(score, mos), (high - low) / 2)


def mean_falling(copies: list[DegradedPhoto], score: np.ndarray) -> float:
    """Mean monotonicity of severity ladders, each from the clean photo on."""
    clean = {copy.photo: value for copy, value in zip(copies, score) if copy.kind == CLEAN}
    along: dict[tuple, dict[int, float]] = {}
    for copy, value in zip(copies, score):
        if copy.level:
            along.setdefault((copy.photo, copy.kind), {0: clean[copy.photo]})[copy.level] = value
    scores = [[ladder[level] for level in sorted(ladder)] for ladder in along.values()]
    return float(np.mean([falling(np.array(of_ladder)) for of_ladder in scores]))
