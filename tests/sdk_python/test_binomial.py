"""Bounds on a counted share: the tail, Clopper and Pearson's bound, and how many photos a bound needs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pocketiqa.binomial import at_most, fewest_photos, interval, least_bound, upper_bound

stats = pytest.importorskip("scipy.stats")
counts = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
confidences = st.floats(0.5, 0.999)


@given(counts, st.floats(0, 1))
def test_the_tail_is_scipys(count: tuple[int, int], share: float) -> None:
    assert at_most(*count, share) == pytest.approx(stats.binom.cdf(*count, share), rel=1e-7, abs=1e-12)


@given(counts, confidences)
def test_the_bound_is_scipys_quantile_of_the_beta_distribution(count: tuple[int, int], confidence: float) -> None:
    k, n = count
    expected = 1.0 if k == n else stats.beta.ppf(confidence, k + 1, n - k)
    assert upper_bound(k, n, confidence) == pytest.approx(expected, abs=1e-9)


@given(counts, confidences)
def test_the_interval_is_scipys_and_holds_the_share(count: tuple[int, int], confidence: float) -> None:
    k, n = count
    found = stats.binomtest(k, n).proportion_ci(confidence, method="exact")
    assert interval(k, n, confidence) == pytest.approx((found.low, found.high), abs=1e-9)
    assert found.low <= k / n <= found.high


@given(st.floats(0.001, 0.5), confidences)
def test_so_many_photos_bear_a_bound_and_one_less_does_not(bound: float, confidence: float) -> None:
    n = fewest_photos(bound, confidence)
    assert least_bound(n, confidence) <= bound * (1 + 1e-9)
    assert n == 1 or least_bound(n - 1, confidence) > bound * (1 - 1e-9)


def test_the_bound_of_none_counted_is_the_least_bound() -> None:
    assert upper_bound(0, 40, 0.95) == pytest.approx(least_bound(40, 0.95)) == pytest.approx(0.0721581, abs=1e-6)
