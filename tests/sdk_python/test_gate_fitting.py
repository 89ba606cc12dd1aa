"""A fitted gate keeps its promise, whatever the network; and it promises nothing that the photos cannot bear."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pocketiqa.binomial import at_most, fewest_photos, upper_bound
from pocketiqa.errors import PocketiqaError
from pocketiqa.gate_fitting import STEPS, fit_thresholds

# A good photo's values are independent, each the largest of so many uniform draws, so its chance of being under t is
# t ** power; a bad photo's are uniform.
POWERS = np.array([4.0, 2.0, 3.0])


def drawn(generator: np.random.Generator, good: int, bad: int) -> tuple[np.ndarray, np.ndarray]:
    values = generator.random((good + bad, len(POWERS)))
    values[:good] **= 1 / POWERS
    return values, np.arange(good + bad) < good


def true_false_refusal(least: tuple[int, ...]) -> float:
    return 1 - float(np.prod(1 - (np.array(least) / STEPS) ** POWERS))


@pytest.mark.parametrize(("good", "alpha", "confidence"), [(160, 0.02, 0.95), (500, 0.05, 0.9)])
def test_the_promise_is_broken_no_more_often_than_it_says(good: int, alpha: float, confidence: float) -> None:
    generator, draws = np.random.default_rng(5), 1000
    broken = 0
    for _ in range(draws):
        values, is_good = drawn(generator, good, 150)
        try:
            least = fit_thresholds(values, is_good, alpha, confidence).least
        except PocketiqaError:
            continue  # nothing was promised
        broken += true_false_refusal(least) > alpha
    assert broken <= (1 - confidence) * draws
    assert broken > 0  # or the bound would be far from what the photos bear


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(250, 900), st.sampled_from([0.02, 0.05, 0.1]))
def test_the_bound_follows_from_the_counts_and_keeps_the_promise(seed: int, good: int, alpha: float) -> None:
    values, is_good = drawn(np.random.default_rng(seed), good, 200)
    try:
        found = fit_thresholds(values, is_good, alpha, 0.95)
    except PocketiqaError:
        return
    assert found.bound == upper_bound(found.good_refused, found.good, 0.95) <= alpha
    assert at_most(found.good_refused, found.good, alpha) <= 0.05 + 1e-12
    assert 0 < found.bad_refused <= found.bad and found.good + found.bad <= len(values)
    assert all(0 <= least <= STEPS for least in found.least)


def test_a_gate_asks_for_the_attribute_that_tells_good_from_bad() -> None:
    values, is_good = np.random.default_rng(0).random((2000, 3)), np.arange(2000) < 1000
    values[is_good, 1] = 0.6 + 0.4 * values[is_good, 1]
    found = fit_thresholds(values, is_good, 0.02, 0.95)
    assert 550 <= found.least[1] <= 640 and max(found.least[0], found.least[2]) < 30
    assert found.bad_refused / found.bad > 0.5


def test_few_photos_are_tested_on_the_score_alone_and_all_of_them_test() -> None:
    needed = fewest_photos(0.02, 0.95)
    values, is_good = drawn(np.random.default_rng(3), needed, 60)
    found = fit_thresholds(values, is_good, 0.02, 0.95)
    assert (found.good, found.bad) == (needed, 60) and found.good_refused == 0
    assert found.least[0] == int(values[is_good, 0].min() * STEPS) and found.least[1:] == (0, 0)


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        (40, 20, "with 40 accepted photos no bound below 7.2 % can be given at confidence 0.95; 2 % needs 149"),
        (0, 20, "with 0 accepted photos no bound can be given"),
        (200, 0, "no refused photos"),
    ],
)
def test_what_the_photos_cannot_bear_is_refused_with_the_figure(good: int, bad: int, said: str) -> None:
    with pytest.raises(PocketiqaError, match=said):
        fit_thresholds(*drawn(np.random.default_rng(0), good, bad), 0.02, 0.95)


def test_no_gate_is_made_where_bad_photos_have_the_better_values() -> None:
    values, is_good = drawn(np.random.default_rng(0), 300, 300)
    with pytest.raises(PocketiqaError, match="sees too little difference"):
        fit_thresholds(values, ~is_good, 0.02, 0.95)


def test_the_same_photos_give_the_same_gate() -> None:
    values, is_good = drawn(np.random.default_rng(1), 400, 200)
    assert fit_thresholds(values, is_good, 0.02, 0.95) == fit_thresholds(values, is_good, 0.02, 0.95)
