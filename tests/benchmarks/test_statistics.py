"""Latency statistics on synthetic samples whose truth is known."""

import numpy as np
import pytest

from benchmarks import statistics
from benchmarks.engines.base import Plan


def lognormal(n: int, seed: int = 0, median: float = 10.0, sigma: float = 0.2) -> np.ndarray:
    return median * np.exp(sigma * np.random.default_rng(seed).standard_normal(n))


def autocorrelated(n: int, seed: int, memory: float = 0.8) -> np.ndarray:
    rng = np.random.default_rng(seed)
    steps = rng.standard_normal(n + 100) * np.sqrt(1 - memory**2)
    state = np.zeros(n + 100)
    for i in range(1, n + 100):
        state[i] = memory * state[i - 1] + steps[i]
    return 10 * np.exp(0.2 * state[100:])


def coverage(series: list[np.ndarray], truth: float, quantile: float, **options) -> float:
    hits = 0
    for samples in series:
        (interval,) = statistics.quantile_intervals(samples, [quantile], **options)
        hits += interval.low <= truth <= interval.high
    return hits / len(series)


def test_quantiles_of_a_known_distribution_lie_inside_their_intervals() -> None:
    samples = lognormal(4000)
    truths = 10 * np.exp(0.2 * np.array([0.0, 1.2816, 2.3263]))
    for interval, truth in zip(statistics.quantile_intervals(samples), truths):
        assert interval.low <= truth <= interval.high
        assert interval.low <= interval.value <= interval.high
        assert interval.high - interval.low < 0.1 * truth


@pytest.mark.parametrize(("quantile", "normal"), [(0.5, 0.0), (0.9, 1.2816)])
def test_nineteen_of_twenty_intervals_cover_the_truth(quantile, normal) -> None:
    series = [lognormal(150, seed) for seed in range(150)]
    covered = coverage(series, 10 * np.exp(0.2 * normal), quantile)
    # 150 trials of .95 stay within .90 and .99 with over 99 % probability.
    assert 0.90 <= covered <= 0.995, covered


def test_block_bootstrap_repairs_the_intervals_of_autocorrelated_samples() -> None:
    series = [autocorrelated(300, seed) for seed in range(100)]
    naive = coverage(series, 10.0, 0.5, block=1)
    blocks = coverage(series, 10.0, 0.5)
    assert naive < 0.7
    assert blocks > 0.84
    assert statistics.block_length(series[0]) > 5


def test_independent_samples_are_resampled_one_by_one_most_of_the_time() -> None:
    lengths = [statistics.block_length(lognormal(300, seed)) for seed in range(40)]
    assert np.mean(np.array(lengths) == 1) > 0.8


def test_a_ratio_of_interleaved_runs_ignores_what_slows_both() -> None:
    rng = np.random.default_rng(3)
    machine = 1 + 0.5 * (np.arange(200) > 100)
    fast = 10 * machine * np.exp(0.02 * rng.standard_normal(200))
    slow = 1.2 * fast * np.exp(0.02 * rng.standard_normal(200))
    ratio = statistics.interleaved_ratio(slow, fast)
    assert ratio.low <= 1.2 <= ratio.high
    assert ratio.high - ratio.low < 0.1


def test_ratio_intervals_of_interleaved_runs_cover_the_truth() -> None:
    hits = 0
    for seed in range(150):
        ratio = statistics.interleaved_ratio(1.1 * lognormal(80, seed), lognormal(80, seed + 1000))
        hits += ratio.low <= 1.1 <= ratio.high
    assert 0.90 <= hits / 150 <= 0.995


def test_series_of_different_length_were_not_interleaved() -> None:
    with pytest.raises(ValueError, match="7 and 9"):
        statistics.interleaved_ratio(lognormal(7), lognormal(9))


def test_early_stopping_needs_64_queries_for_the_ninetieth_percentile() -> None:
    assert statistics.early_stopping_estimate(lognormal(63)) is None
    assert statistics.early_stopping_estimate(lognormal(64)) == lognormal(64).max()


def test_early_stopping_bounds_the_ninetieth_percentile_from_above() -> None:
    truth = 10 * np.exp(0.2 * 1.2816)
    bounds = [statistics.early_stopping_estimate(lognormal(400, seed)) for seed in range(200)]
    assert np.mean(np.array(bounds) >= truth) >= 0.98


def test_a_plan_asks_for_runs_and_seconds() -> None:
    plan = Plan(runs=100, seconds=10, max_seconds=60, warmups=0)
    assert not plan.is_done(100, 9.9)
    assert not plan.is_done(99, 10.1)
    assert plan.is_done(100, 10.0)
    assert plan.is_done(5, 60.0)


def test_two_modes_are_named_with_their_places() -> None:
    samples = np.concatenate([lognormal(150, 1, 10, 0.03), lognormal(100, 2, 16, 0.03)])
    np.random.default_rng(0).shuffle(samples)
    low, high = statistics.modes(samples)
    assert low == pytest.approx(10, rel=0.05)
    assert high == pytest.approx(16, rel=0.05)
    assert any("bimodal" in flag for flag in statistics.summarize(samples).flags)


def test_one_skewed_mode_is_not_called_bimodal() -> None:
    several = [len(statistics.modes(lognormal(200, seed, sigma=0.3))) > 1 for seed in range(100)]
    assert np.mean(several) <= 0.05


def test_a_slow_creep_is_flagged_with_its_size() -> None:
    creeping = lognormal(300, 5, sigma=0.05) * np.linspace(1, 1.3, 300)
    assert statistics.drift(creeping) == pytest.approx(0.19, abs=0.04)
    assert any("drifting" in flag for flag in statistics.summarize(creeping).flags)


def test_a_steady_run_is_not_called_drifting() -> None:
    assert sum(statistics.drift(lognormal(200, seed)) is not None for seed in range(60)) <= 1


def test_a_p99_of_a_hundred_samples_says_what_it_rests_on() -> None:
    flags = statistics.summarize(lognormal(100)).flags
    assert flags == ["p99 rests on 1.0 samples beyond it"]


def test_one_sample_is_summarized_without_a_warning(recwarn) -> None:
    summary = statistics.summarize([4.0])
    assert (summary.n, summary.p50.value, summary.standard_deviation) == (1, 4.0, 0.0)
    assert not recwarn.list


@pytest.mark.parametrize("samples", [[], [[1.0, 2.0]], [1.0, float("nan")], [0.0]])
def test_samples_that_no_clock_gives_are_refused(samples) -> None:
    with pytest.raises(ValueError, match="latency samples"):
        statistics.summarize(samples)


def test_a_soak_has_one_median_a_minute() -> None:
    seconds = np.arange(0, 150, 10.0)
    samples = np.where(seconds < 60, 5.0, 7.0)
    assert statistics.per_minute(samples, seconds) == [5.0, 7.0, 7.0]


def test_a_soak_of_half_an_hour_is_summarized_in_portions() -> None:
    samples = lognormal(60_000)
    (p50,) = statistics.quantile_intervals(samples, [0.5], block=1)
    assert p50.low < 10 < p50.high
    assert p50.high - p50.low < 0.1
    ratio = statistics.interleaved_ratio(1.1 * samples, samples)
    assert ratio.value == pytest.approx(1.1)
