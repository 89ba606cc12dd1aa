"""Figures that several experiments take: SRCC and its change with their intervals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pocketiqa.parity import srcc

from distill.data.intervals import srcc_interval
from distill.experiments.table import Cell, Estimate

KINDS_PER_PHOTO = 2  # severity ladders of each pristine photo, for every trunk
RESAMPLES = 500


def srcc_estimate(score: np.ndarray, mos: np.ndarray, seed: int) -> Estimate:
    """SRCC and half its 95 % interval, bootstrapped over the n photos."""
    low, high = srcc_interval(score, mos, RESAMPLES, seed)
    return Estimate(srcc(score, mos), (high - low) / 2)


def change(mos: list[np.ndarray], before: list[np.ndarray], after: list[np.ndarray], seed: int) -> Estimate:
    """The mean change of SRCC over sets of photos, and half its 95 % interval, photos being drawn once for both.

    Args:
        mos: of each set's photos.
        before: their scores.
        after: the same.
        seed: of the draws.
    """
    random = np.random.default_rng(seed)

    def mean(rows: list[np.ndarray]) -> float:
        by_set = zip(mos, before, after, rows)
        return float(np.mean([srcc(new[row], m[row]) - srcc(old[row], m[row]) for m, old, new, row in by_set]))

    sizes = [len(of_set) for of_set in mos]
    draws = [mean([random.integers(0, size, size) for size in sizes]) for _ in range(RESAMPLES)]
    low, high = np.quantile(draws, (0.025, 0.975))
    return Estimate(mean([np.arange(size) for size in sizes]), (high - low) / 2, sign="+")


def mean_over_fits(fits: list[list[Cell]]) -> list[Cell]:
    """One row of several fits' rows: of each column the mean figure, and the mean of half intervals."""

    def mean(cells: tuple[Cell, ...]) -> Cell:
        first = cells[0]
        if isinstance(first, Estimate):
            value, half = (float(np.mean(parts)) for parts in zip(*((one.value, one.half) for one in cells)))
            return replace(first, value=value, half=half)
        return None if first is None else float(np.mean(cells))

    return [mean(column) for column in zip(*fits)]
