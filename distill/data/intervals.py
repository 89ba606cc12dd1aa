"""Rank correlation within each source, and how sure one is: the percentile bootstrap over photos."""

from __future__ import annotations

import numpy as np
from pocketiqa.parity import srcc
from scipy.stats import bootstrap

from distill.data.enough import defined

CONFIDENCE = 0.95


def srcc_interval(scores: np.ndarray, mos: np.ndarray, resamples: int = 999, seed: int = 0) -> tuple[float, float]:
    """Interval, at 95 %, of the SRCC of n ``scores`` with n ``mos``; the same arguments give the same interval.

    Percentile bootstrap over photos (Efron, "Bootstrap methods: another look at the jackknife", 1979). Resamples in
    which one side is constant have no SRCC and are left out.
    """
    found = bootstrap(
        (scores, mos), srcc, paired=True, vectorized=False, n_resamples=resamples, method="percentile",
        confidence_level=CONFIDENCE, rng=seed,
    )  # fmt: skip
    tail = (1 - CONFIDENCE) / 2
    low, high = np.nanquantile(found.bootstrap_distribution, (tail, 1 - tail))
    return float(low), float(high)


def srcc_within(score: np.ndarray, mos: np.ndarray, sources: np.ndarray) -> dict[str, float]:
    """SRCC within each source, to four digits, of n scores with n MOS; ``sources`` are n names.

    A source that has none, its scores or its MOS being one, is left out.
    """
    rows = {str(name): sources == name for name in np.unique(sources)}
    found = {name: defined(round(srcc(score[own].astype(np.float64), mos[own]), 4)) for name, own in rows.items()}
    return {name: figure for name, figure in found.items() if figure is not None}
