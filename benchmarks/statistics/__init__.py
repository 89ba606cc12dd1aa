"""Latency statistics over raw samples: finite milliseconds above zero, in the order in which they were measured.

The order shows drift and the dependence of neighbours, so nothing here sorts or thins the samples of its caller.
"""

from benchmarks.statistics.bootstrap import (
    Interval,
    block_length,
    independent_ratio,
    interleaved_ratio,
    quantile_intervals,
)
from benchmarks.statistics.shape import drift, modes
from benchmarks.statistics.summary import Summary, early_stopping_estimate, per_minute, summarize

__all__ = [
    "Interval",
    "Summary",
    "block_length",
    "drift",
    "early_stopping_estimate",
    "independent_ratio",
    "interleaved_ratio",
    "modes",
    "per_minute",
    "quantile_intervals",
    "summarize",
]
