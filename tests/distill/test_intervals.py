"""The interval of a rank correlation."""

import numpy as np
from pocketiqa.parity import srcc
from scipy.stats import bootstrap

from distill.data.intervals import srcc_interval


def _noisy(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    mos = generator.random(n)
    return mos + 0.3 * generator.standard_normal(n), mos


def test_the_interval_is_scipys() -> None:
    scores, mos = _noisy(60)
    theirs = bootstrap(
        (scores, mos), srcc, paired=True, vectorized=False, n_resamples=999, method="percentile", rng=0
    ).confidence_interval
    assert srcc_interval(scores, mos) == (theirs.low, theirs.high)


def test_more_photos_make_a_narrower_interval_that_holds_the_value() -> None:
    widths = []
    for n in (30, 300):
        scores, mos = _noisy(n)
        low, high = srcc_interval(scores, mos)
        assert low < srcc(scores, mos) < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_resamples_of_one_repeated_photo_are_left_out() -> None:
    low, high = srcc_interval(np.array([0.1, 0.2, 0.9]), np.array([0.0, 0.5, 1.0]))
    assert np.isfinite([low, high]).all()
