"""Exact bounds on a share that was counted: k of n photos. No scipy: the tail is summed, the bound found by bisection.

C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
Biometrika 26, 1934. ``scipy.stats.beta.ppf`` gives the same numbers; a test compares them.
"""

from __future__ import annotations

import math

_BISECTIONS = 60  # a double has 53 bits
_NEGLIGIBLE = 2.0**-60


def at_most(k: int, n: int, share: float) -> float:
    """The probability that k or fewer of n photos are counted, when each is with probability ``share`` in [0, 1]."""
    if k >= n or 1 - share == 1:  # a share of zero, or too small to be told from it
        return 1.0
    if share >= 1:
        return 0.0
    # On the side of the mean where the terms fall, so that the first of them is the largest.
    return _lower_tail(k, n, share) if k < n * share else 1 - _lower_tail(n - k - 1, n, 1 - share)


def _lower_tail(k: int, n: int, share: float) -> float:
    """P(count ≤ k) for k under the mean: from k's term down, each by its ratio to the one before, while it matters."""
    binomial = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    term = total = math.exp(binomial + k * math.log(share) + (n - k) * math.log1p(-share))
    for i in range(k, 0, -1):
        term *= i / (n - i + 1) * (1 - share) / share
        total += term
        if term < total * _NEGLIGIBLE:
            break
    return total


def upper_bound(k: int, n: int, confidence: float) -> float:
    """The largest share that k of n still allow: the true share lies at or below it with that confidence.

    Args:
        k: counted, 0 ≤ k ≤ n.
        n: photos, 1 or more.
        confidence: in (0, 1), of one side.
    """
    low, high = k / n, 1.0
    for _ in range(_BISECTIONS if k < n else 0):
        middle = (low + high) / 2
        low, high = (middle, high) if at_most(k, n, middle) > 1 - confidence else (low, middle)
    return high


def interval(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper and Pearson's two-sided interval of a share of which k of n were counted."""
    side = (1 + confidence) / 2
    return 1 - upper_bound(n - k, n, side), upper_bound(k, n, side)


def least_bound(n: int, confidence: float) -> float:
    """The least share that n photos can bound, with none of them counted."""
    return -math.expm1(math.log1p(-confidence) / n)


def fewest_photos(bound: float, confidence: float) -> int:
    """How many photos can bound a share by ``bound``, with none of them counted."""
    return math.ceil(math.log1p(-confidence) / math.log1p(-bound))
