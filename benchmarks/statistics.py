"""Latency statistics: quantiles with bootstrap intervals, ratios of interleaved runs, and warning flags.

Everything takes raw samples in milliseconds, in the order in which they were measured, and keeps them
untouched: the order is what shows drift and autocorrelation.

Sources:
- block bootstrap: H. R. Künsch, "The jackknife and the bootstrap for general stationary observations",
  Annals of Statistics 17(3), 1989; here with blocks that wrap around (Politis and Romano, 1992).
- early stopping: MLCommons inference rules, appendix "Early stopping criterion"; the estimate of the
  LoadGen's single-stream scenario.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import special, stats

QUANTILES = (0.5, 0.9, 0.99)
RESAMPLES = 1000
MAX_RESAMPLED = 4_000_000
# A dependence longer than this is a drift, not a correlation.
MAX_LAG = 1000
# Below this many samples beyond a quantile, the quantile is mostly the luck of the slowest few.
MIN_BEYOND = 5
# A drift or a second mode smaller than this is of no use to anyone who reads a latency.
DRIFT_SHARE = 0.05
MIN_FOR_SHAPE = 40


@dataclass(frozen=True)
class Interval:
    """An estimate and its confidence interval, in the unit of the samples (or a ratio without unit)."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"


@dataclass(frozen=True)
class Summary:
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
    flags: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class StopRule:
    """Stop when both minima are reached, or when ``max_seconds`` are over; MLPerf Mobile asks 1024 and 60."""

    min_runs: int = 1024
    min_seconds: float = 60.0
    max_seconds: float = math.inf

    def is_done(self, runs: int, seconds: float) -> bool:
        """Whether a measurement of ``runs`` samples that took ``seconds`` may end."""
        return seconds >= self.max_seconds or (runs >= self.min_runs and seconds >= self.min_seconds)


def block_length(samples: Sequence[float]) -> int:
    """Length of the blocks to resample so that the dependence between neighbours survives; 1 for none.

    The integrated autocorrelation time is summed over the ranks (a few slow outliers would hide it) until
    the first lag inside the white-noise band, and the blocks are about ``n**(1/3)`` times its 2/3 power.
    """
    ranks = stats.rankdata(_checked(samples))
    n = len(ranks)
    centred = ranks - ranks.mean()
    variance = float(centred @ centred)
    if n < 10 or variance == 0:
        return 1
    band = 1.96 / math.sqrt(n)
    time = 0.0
    for lag in range(1, min(n // 4, MAX_LAG)):
        correlation = float(centred[:-lag] @ centred[lag:]) / variance
        if correlation < band:
            break
        time += correlation
    if time == 0:
        return 1
    # Lahiri (2003): the best block for a quantile grows with n**(1/3) and with the dependence to 2/3.
    return int(min(n // 4, max(2, math.ceil((2 * time) ** (2 / 3) * n ** (1 / 3)))))


def bootstrap_indices(n: int, block: int, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of ``resamples`` circular block-bootstrap series of length ``n``: int64 ``resamples×n``."""
    starts = rng.integers(0, n, size=(resamples, math.ceil(n / block)))
    return ((starts[:, :, None] + np.arange(block)) % n).reshape(resamples, -1)[:, :n]


def quantile_intervals(
    samples: Sequence[float],
    quantiles: Sequence[float] = QUANTILES,
    level: float = 0.95,
    block: int | None = None,
    seed: int = 0,
) -> list[Interval]:
    """Quantiles of ``samples`` with percentile-bootstrap intervals at ``level``.

    ``block`` defaults to `block_length`; the interval is reproducible by ``seed``. Raises ``ValueError``
    for no samples, and for samples that are not finite and positive.
    """
    data = _checked(samples)
    block = block_length(data) if block is None else block
    rng = np.random.default_rng(seed)
    estimates = [
        np.quantile(data[bootstrap_indices(len(data), block, rows, rng)], quantiles, axis=1)
        for rows in _portions(len(data))
    ]
    spread = np.concatenate(estimates, axis=1)
    low, high = np.quantile(spread, [(1 - level) / 2, (1 + level) / 2], axis=1)
    values = np.quantile(data, quantiles)
    return [Interval(float(v), float(lo), float(hi)) for v, lo, hi in zip(values, low, high)]


def interleaved_ratio(a: Sequence[float], b: Sequence[float], level: float = 0.95, seed: int = 0) -> Interval:
    """Ratio of medians ``a / b`` of two series measured in turns (A B A B), with its interval.

    Rounds are resampled as pairs, so a slow spell of the machine, which hits both, cancels. Raises
    ``ValueError`` when the series differ in length: then they were not interleaved.
    """
    first, second = _checked(a), _checked(b)
    if len(first) != len(second):
        raise ValueError(f"interleaved series have one length; got {len(first)} and {len(second)} samples")
    block = max(block_length(first), block_length(second))
    rng = np.random.default_rng(seed)
    spread = []
    for rows in _portions(len(first)):
        indices = bootstrap_indices(len(first), block, rows, rng)
        spread.append(np.median(first[indices], axis=1) / np.median(second[indices], axis=1))
    return _ratio(first, second, spread, level)


def independent_ratio(a: Sequence[float], b: Sequence[float], level: float = 0.95, seed: int = 0) -> Interval:
    """Ratio of medians ``a / b`` of two separate runs, with the interval of independent resampling.

    The interval knows nothing of what changed between the runs besides the artifact: prefer
    `interleaved_ratio`.
    """
    first, second = _checked(a), _checked(b)
    medians = []
    for data, stream in ((first, seed), (second, seed + 1)):
        rng, block = np.random.default_rng(stream), block_length(data)
        parts = (data[bootstrap_indices(len(data), block, rows, rng)] for rows in _portions(len(data)))
        medians.append(np.concatenate([np.median(part, axis=1) for part in parts]))
    return _ratio(first, second, [medians[0] / medians[1]], level)


def early_stopping_estimate(samples: Sequence[float], quantile: float = 0.9, confidence: float = 0.99) -> float | None:
    """Upper bound of a latency quantile that holds with ``confidence`` whatever the distribution.

    The t-th slowest sample, where t is the largest number of queries over the latency for which the rest
    still proves the quantile: ``I_q(n - t, t + 1) <= 1 - confidence`` with the regularised incomplete beta
    function. None when there are too few samples (64 are needed for the 90th percentile at 99 %).
    Assumes independent samples.
    """
    data = np.sort(_checked(samples))
    n = len(data)
    over = np.arange(1, n)
    allowed = over[special.betainc(n - over, over + 1, quantile) <= 1 - confidence]
    return float(data[n - allowed.max()]) if len(allowed) else None


def drift(samples: Sequence[float], confidence: float = 0.99) -> float | None:
    """Relative change of the median from the first third of a series to its last; None if none is shown.

    Shown means: more than 5 %, and the interval of the change, block-bootstrapped at ``confidence``,
    excludes zero.
    """
    data = _checked(samples)
    third = len(data) // 3
    if len(data) < MIN_FOR_SHAPE:
        return None
    ratio = independent_ratio(data[-third:], data[:third], confidence)
    shown = abs(ratio.value - 1) > DRIFT_SHARE and not ratio.low <= 1 <= ratio.high
    return ratio.value - 1 if shown else None


def modes(samples: Sequence[float]) -> list[float]:
    """Where the density of the samples peaks, in milliseconds: two or more when it is bimodal.

    Peaks of a kernel density (Silverman's rule) on the logarithm; a peak counts when the valley towards
    the next one is at most 70 % as high, both sides hold at least a tenth of the samples, and the peaks
    are more than 5 % apart.
    """
    data = np.log(_checked(samples))
    if len(data) < MIN_FOR_SHAPE or np.ptp(data) == 0:
        return [float(np.exp(np.median(data)))]
    quartiles = np.quantile(data, [0.25, 0.75])
    width = min(data.std(), np.ptp(quartiles) / 1.34) or data.std()
    width *= 0.9 * len(data) ** -0.2
    grid = np.linspace(*np.quantile(data, [0.01, 0.99]), 400)
    density = np.zeros_like(grid)
    for chunk in np.array_split(data, max(1, len(data) // 2000)):
        density += np.exp(-0.5 * ((grid[:, None] - chunk) / width) ** 2).sum(1)
    padded = np.pad(density, 1)
    peaks = np.flatnonzero((padded[1:-1] > padded[:-2]) & (padded[1:-1] >= padded[2:]))
    kept = [int(peaks[0])]
    for peak in peaks[1:]:
        valley = kept[-1] + int(np.argmin(density[kept[-1] : peak + 1]))
        below = float((data <= grid[valley]).mean())
        separate = (
            density[valley] <= 0.7 * min(density[kept[-1]], density[peak])
            and 0.1 <= below <= 0.9
            and grid[peak] - grid[kept[-1]] > math.log1p(DRIFT_SHARE)
        )
        if separate:
            kept.append(int(peak))
        elif density[peak] > density[kept[-1]]:
            kept[-1] = int(peak)
    return [float(np.exp(grid[k])) for k in kept]


def summarize(samples: Sequence[float]) -> Summary:
    """Quantiles with intervals, moments, the early-stopping bound and the flags of a series."""
    data = _checked(samples)
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
    data, times = _checked(samples), np.asarray(seconds, dtype=float)
    minutes = np.floor(times / 60).astype(int)
    groups = [data[minutes == minute] for minute in range(minutes.max() + 1)]
    return [float(np.median(group)) if len(group) else None for group in groups]


def _ratio(first: np.ndarray, second: np.ndarray, spread: list[np.ndarray], level: float) -> Interval:
    low, high = np.quantile(np.concatenate(spread), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(np.median(first) / np.median(second)), float(low), float(high))


def _portions(n: int) -> Iterator[int]:
    """How many series to resample at a time: those of a long soak would not fit into memory at once."""
    at_once = max(1, MAX_RESAMPLED // n)
    for done in range(0, RESAMPLES, at_once):
        yield min(at_once, RESAMPLES - done)


def _checked(samples: Sequence[float]) -> np.ndarray:
    data = np.asarray(samples, dtype=float)
    if data.ndim != 1 or len(data) == 0:
        raise ValueError(f"latency samples are a flat, non-empty series; got the shape {data.shape}")
    if not np.isfinite(data).all() or (data <= 0).any():
        raise ValueError("latency samples are finite and above zero milliseconds")
    return data
