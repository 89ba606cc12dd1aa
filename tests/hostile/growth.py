"""Does memory grow while photos are scored? Resident memory against photos scored, with the slope's interval.

python -m tests.hostile growth
"""

from __future__ import annotations

import gc
import os
import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pocketiqa.scorer import Scorer
from scipy import stats

# One point of the line; and what is scored before the first, while caches and allocators fill.
STEP, SETTLING = 100, 1000


@dataclass(frozen=True)
class Growth:
    """What was measured.

    Attributes:
        photos: scored after the settling.
        start_mib, end_mib: resident memory at the first and the last point.
        slope: bytes a photo, by least squares, and ``low`` to ``high``, its 95 % interval. Neighbouring points
            depend on each other, so that the interval is taken from the means of ten stretches.
        threads: of the process, the most seen.
    """

    photos: int
    start_mib: float
    end_mib: float
    slope: float
    low: float
    high: float
    threads: int

    def __str__(self) -> str:
        return (
            f"{self.photos} photos: {self.start_mib:.1f} MiB → {self.end_mib:.1f} MiB, "
            f"slope {self.slope:+.0f} [{self.low:+.0f}, {self.high:+.0f}] bytes a photo (95 %), "
            f"at most {self.threads} threads"
        )


def measure(bundle: Path | None, photos: list[Path], n: int, say: Callable[[int], object] = lambda _: None) -> Growth:
    """Score ``n`` photos, and ``SETTLING`` before them, in this process."""
    scorer = Scorer(bundle)
    points, threads = [], 0
    for i in range(SETTLING + n):
        scorer(photos[i % len(photos)])
        if i >= SETTLING and i % STEP == 0:
            gc.collect()
            points.append(_resident_bytes())
            threads = max(threads, len(os.listdir("/proc/self/task")))
            say(i - SETTLING)
    return Growth(n, points[0] / 2**20, points[-1] / 2**20, *slope_of(points), threads)


def slope_of(points: list[int]) -> tuple[float, float, float]:
    """Bytes a photo, and the low and high end of its 95 % interval, from at least twenty points."""
    x = np.arange(len(points)) * STEP
    stretches = np.array_split(np.arange(len(points)), 10)
    line = stats.linregress([x[s].mean() for s in stretches], [np.mean(np.take(points, s)) for s in stretches])
    # Where no point differs from another, the error is zero divided by zero.
    margin = float(np.nan_to_num(line.stderr)) * float(stats.t.ppf(0.975, len(stretches) - 2))
    return float(line.slope), float(line.slope) - margin, float(line.slope) + margin


def _resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
