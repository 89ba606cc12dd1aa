"""Quantiles of latencies and ratios of medians, with intervals from a block bootstrap.

A latency depends on the one before it: a plain bootstrap gives intervals that are too narrow. scipy has no block
bootstrap.

Sources: H. R. Künsch, "The jackknife and the bootstrap for general stationary observations", Annals of Statistics
17(3), 1989; blocks that wrap around: D. N. Politis and J. P. Romano, "A circular block-resampling procedure", 1992.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from scipy import stats

QUANTILES = (0.5, 0.9, 0.99)
RESAMPLES = 1000
MAX_RESAMPLED = 4_000_000
# A dependence longer than this is a drift, not a correlation.
MAX_LAG = 1000


class Interval(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An estimate and its confidence interval, in the unit of the samples (or a ratio without unit)."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"


def checked(samples: Sequence[float]) -> np.ndarray:
    """The samples as float64 n; raises ``ValueError`` for none, and for what is not finite and above zero."""
    data = np.asarray(samples, dtype=float)
    if data.ndim != 1 or len(data) == 0:
        raise ValueError(f"latency samples are a flat, non-empty series; got the shape {data.shape}")
    if not np.isfinite(data).all() or (data <= 0).any():
        raise ValueError("latency samples are finite and above zero milliseconds")
    return data


def block_length(samples: Sequence[float]) -> int:
    """Length of the blocks to resample so that the dependence between neighbours survives; 1 for none.

    The integrated autocorrelation time is summed over the ranks (a few slow outliers would hide it) until
    the first lag inside the white-noise band, and the blocks are about ``n**(1/3)`` times its 2/3 power.
    """
    ranks = stats.rankdata(checked(samples))
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
    data = checked(samples)
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
    first, second = checked(a), checked(b)
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
    first, second = checked(a), checked(b)
    medians = []
    for data, stream in ((first, seed), (second, seed + 1)):
        rng, block = np.random.default_rng(stream), block_length(data)
        parts = (data[bootstrap_indices(len(data), block, rows, rng)] for rows in _portions(len(data)))
        medians.append(np.concatenate([np.median(part, axis=1) for part in parts]))
    return _ratio(first, second, [medians[0] / medians[1]], level)


def _ratio(first: np.ndarray, second: np.ndarray, spread: list[np.ndarray], level: float) -> Interval:
    low, high = np.quantile(np.concatenate(spread), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(np.median(first) / np.median(second)), float(low), float(high))


def _portions(n: int) -> Iterator[int]:
    """How many series to resample at a time: those of a long soak would not fit into memory at once."""
    at_once = max(1, MAX_RESAMPLED // n)
    for done in range(0, RESAMPLES, at_once):
        yield min(at_once, RESAMPLES - done)
