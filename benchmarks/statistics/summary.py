"""What is reported of a series of latencies: quantiles, moments, an early-stopping bound, and warnings."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from scipy import special

from benchmarks.statistics.bootstrap import QUANTILES, Interval, block_length, checked, quantile_intervals
from benchmarks.statistics.shape import drift, modes

# Below this many samples beyond a quantile, the quantile is mostly the luck of the slowest few.
MIN_BEYOND = 5


class Summary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a series of latencies says; all times in milliseconds, intervals at 95 %."""

    n: int
    p50: Interval
    p90: Interval
    p99: Interval
    mean: float
    standard_deviation: float
    minimum: float
    maximum: float
    block_length: int
    p90_early_stopping: float | None
    flags: list[str] = []


def summarize(samples: Sequence[float]) -> Summary:
    """Quantiles with intervals, moments, the early-stopping bound and the flags of a series."""
    data = checked(samples)
    block = block_length(data)
    p50, p90, p99 = quantile_intervals(data, QUANTILES, block=block)
    flags = []
    if (change := drift(data)) is not None:
        flags.append(f"drifting: the last third is {change:+.0%} against the first")
    if len(peaks := modes(data)) > 1:
        flags.append("bimodal: peaks at " + " and ".join(f"{peak:.3g} ms" for peak in peaks))
    if block > 1:
        flags.append(f"autocorrelated: bootstrap in blocks of {block}")
    for quantile in QUANTILES:
        if (beyond := len(data) * (1 - quantile)) < MIN_BEYOND:
            flags.append(f"p{quantile * 100:.0f} rests on {beyond:.1f} samples beyond it")
    spread = float(data.std(ddof=1)) if len(data) > 1 else 0.0
    return Summary(
        len(data), p50, p90, p99, float(data.mean()), spread, float(data.min()), float(data.max()),
        block, early_stopping_estimate(data), flags,
    )  # fmt: skip


def per_minute(samples: Sequence[float], seconds: Sequence[float]) -> list[float | None]:
    """Median latency of each minute of a soak; ``seconds`` are the times of the samples since its start."""
    data, times = checked(samples), np.asarray(seconds, dtype=float)
    minutes = np.floor(times / 60).astype(int)
    groups = [data[minutes == minute] for minute in range(minutes.max() + 1)]
    return [float(np.median(group)) if len(group) else None for group in groups]


def early_stopping_estimate(samples: Sequence[float], quantile: float = 0.9, confidence: float = 0.99) -> float | None:
    """Upper bound of a latency quantile that holds with ``confidence`` whatever the distribution.

    The t-th slowest sample, where t is the largest number of queries over the latency for which the rest
    still proves the quantile: ``I_q(n - t, t + 1) <= 1 - confidence`` with the regularised incomplete beta
    function. None when there are too few samples (64 are needed for the 90th percentile at 99 %).
    Assumes independent samples.

    Source: MLCommons inference rules, appendix "Early stopping criterion"; the estimate of the LoadGen's single-stream
    scenario.
    """
    data = np.sort(checked(samples))
    n = len(data)
    over = np.arange(1, n)
    allowed = over[special.betainc(n - over, over + 1, quantile) <= 1 - confidence]
    return float(data[n - allowed.max()]) if len(allowed) else None
