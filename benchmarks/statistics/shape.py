"""What a series of latencies looks like: does it drift, and does it have more than one mode?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.signal import find_peaks
from scipy.stats import gaussian_kde, iqr

from benchmarks.statistics.bootstrap import checked, independent_ratio

# A drift or a second mode smaller than this is of no use to anyone who reads a latency.
DRIFT_SHARE = 0.05
FEWEST = 40
# The valley between two modes is at most this high beside the lower one, and each side of it holds this share.
VALLEY, SIDE = 0.7, 0.1


def drift(samples: Sequence[float], confidence: float = 0.99) -> float | None:
    """Relative change of the median from the first third of a series to its last; None if none is shown.

    Shown means: more than 5 %, and the interval of the change, block-bootstrapped at ``confidence``,
    excludes zero.
    """
    data = checked(samples)
    third = len(data) // 3
    if len(data) < FEWEST:
        return None
    ratio = independent_ratio(data[-third:], data[:third], confidence)
    shown = abs(ratio.value - 1) > DRIFT_SHARE and not ratio.low <= 1 <= ratio.high
    return ratio.value - 1 if shown else None


def modes(samples: Sequence[float]) -> list[float]:
    """Where the density of the samples peaks, in milliseconds: two or more when it is bimodal.

    Peaks of a kernel density on the logarithm (Silverman's rule for data that need not be normal: 0.9 times the
    smaller of deviation and IQR / 1.34). A peak counts when the valley towards a higher one is at most 70 % as high,
    both sides of that valley hold at least a tenth of the samples, and the peaks are more than 5 % apart.
    """
    data = np.log(checked(samples))
    if len(data) < FEWEST or np.ptp(data) == 0:
        return [float(np.exp(np.median(data)))]
    deviation = data.std(ddof=1)
    width = 0.9 * (min(deviation, iqr(data) / 1.34) or deviation) * len(data) ** -0.2
    grid = np.linspace(*np.quantile(data, [0.01, 0.99]), 400)
    density = gaussian_kde(data, width / deviation)(grid)
    # A frame of zeros, so that a peak at an edge is one too.
    peaks, _ = find_peaks(np.pad(density, 1), prominence=0)
    kept = [int(peaks[0]) - 1]
    for peak in peaks[1:] - 1:
        valley = kept[-1] + int(np.argmin(density[kept[-1] : peak + 1]))
        below = float((data <= grid[valley]).mean())
        separate = (
            density[valley] <= VALLEY * min(density[kept[-1]], density[peak])
            and SIDE <= below <= 1 - SIDE
            and grid[peak] - grid[kept[-1]] > math.log1p(DRIFT_SHARE)
        )
        if separate:
            kept.append(int(peak))
        elif density[peak] > density[kept[-1]]:
            kept[-1] = int(peak)
    return [float(np.exp(grid[k])) for k in kept]
