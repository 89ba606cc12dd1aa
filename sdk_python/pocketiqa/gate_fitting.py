"""Fit a gate that refuses few good photos, with a guarantee that holds for every network and kind of photo.

**Learn then test** (Angelopoulos, Bates, Candès, Jordan and Lei, "Learn then Test: calibrating predictive algorithms to
achieve risk control", 2021) with fixed-sequence testing. A path of gates, each at least as strict as the one before it,
is drawn without the calibration photos. Along it the hypothesis "this gate refuses more than α of all good photos" is
tested on the good calibration photos, with the exact binomial tail as its p-value. The last gate before the first test
that fails is taken. The risk that it refuses more than α is at most 1 − confidence, whatever the path was.

A third of the photos draws the path. It begins with every attribute's threshold at half the least value that their good
ones have: what no good photo comes near is refused at no cost. Each further step raises the one threshold that refuses
most bad photos for each good one (as Friedman and Fisher's "Bump hunting in high-dimensional data", 1999, peels a box).
Where too few photos are left to test with, the path is the score's thresholds from 0 to 1, and every photo tests.

The guarantee is about photos drawn as the good calibration photos were. Shots of one burst count as one photo.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from pocketiqa.binomial import at_most, fewest_photos, least_bound, upper_bound
from pocketiqa.bundle import Bundle
from pocketiqa.errors import PocketiqaError
from pocketiqa.gate import SCORE, STEPS, Fit, Gate, Threshold, words_for

METHOD = "learn then test: fixed-sequence testing of nested gates, exact binomial p-values"
PATH_SHARE = 3  # one photo in so many draws the path
HINT_SHARE = 0.05  # of the good photos have less than a hint says
_WIDEST = 5.0  # the path ends where it refuses so many times α of the good photos that drew it
_LOOK_AHEAD = (0, 1, 2, 4, 8, 16, 32)  # good photos that the raising of one threshold may refuse


@dataclass(frozen=True)
class Thresholds:
    """The gate that was found.

    Attributes:
        least: a threshold a measure, in thousandths; 0 refuses nothing.
        bound: upper Clopper–Pearson bound of the share of good photos that it refuses.
        good, good_refused, bad, bad_refused: of the photos that tested it.
    """

    least: tuple[int, ...]
    bound: float
    good: int
    good_refused: int
    bad: int
    bad_refused: int


def fit_gate(
    values: np.ndarray, is_good: np.ndarray, bundle: Bundle, variant: str, data: str,
    max_false_refusal: float, confidence: float,
) -> Gate:  # fmt: skip
    """A gate for photos like these.

    Args:
        values: float64 n×(1 + attributes): score and attributes of n photos, by the bundle's ``variant``.
        is_good: bool n, which of them people accept.
        data: what the photos are, in words.
        max_false_refusal, confidence: at most this share of good photos is refused, with this confidence.

    Raises:
        PocketiqaError: as ``fit_thresholds``.
    """
    measures = (SCORE, *bundle.manifest.attribute_names)
    found = fit_thresholds(values, is_good, max_false_refusal, confidence)
    usual = np.floor(np.quantile(values[is_good], HINT_SHARE, axis=0) * STEPS) / STEPS
    fit = Fit(
        max_false_refusal=max_false_refusal,
        confidence=confidence,
        bound=found.bound,
        good=found.good,
        good_refused=found.good_refused,
        bad=found.bad,
        bad_refused=found.bad_refused,
        method=METHOD,
        program=f"{bundle.label} {variant}",
        sha256=bundle.manifest.files[bundle.variant(variant).path].sha256,
        data=data,
        date=datetime.now(UTC).date().isoformat(),
    )
    return Gate(
        tuple(Threshold(name, least / STEPS, words_for(name)) for name, least in zip(measures, found.least) if least),
        tuple(Threshold(name, float(least), words_for(name)) for name, least in zip(measures[1:], usual[1:])),
        fit,
    )


def fit_thresholds(
    values: np.ndarray, is_good: np.ndarray, max_false_refusal: float, confidence: float, seed: int = 0
) -> Thresholds:
    """Thresholds that refuse at most ``max_false_refusal`` of good photos, with that confidence.

    Args:
        values: float64 n×m in [0, 1]; the first of the m measures is the score.
        is_good: bool n, what people say.
        max_false_refusal: α, in (0, 1).
        confidence: in (0, 1).
        seed: of the draw of the photos that draw the path.

    Raises:
        PocketiqaError: too few good photos for such a promise, no bad one, or no gate that keeps it and refuses
            anything.
    """
    check_enough(int(is_good.sum()), int((~is_good).sum()), max_false_refusal, confidence)
    levels = np.floor(values * STEPS).astype(np.int64)  # value < t / STEPS exactly where the level is under t
    draws_path = _drawn(is_good, seed)
    left, needed = int((is_good & ~draws_path).sum()), fewest_photos(max_false_refusal, confidence)
    if left < needed or not (draws_path & ~is_good).any():
        path, tests = _score_path(values.shape[1]), np.ones(len(values), dtype=bool)
    else:
        path = _peeled_path(levels[draws_path], is_good[draws_path], max_false_refusal)
        tests = ~draws_path
    return _tested(path, levels[tests], is_good[tests], max_false_refusal, confidence)


def check_enough(good: int, bad: int, max_false_refusal: float, confidence: float) -> None:
    """Raises PocketiqaError where so many good and bad photos cannot bear the promise; it says which they can."""
    needed = fewest_photos(max_false_refusal, confidence)
    if good < needed:
        bearable = f"no bound below {_percent(least_bound(good, confidence))}" if good else "no bound"
        raise PocketiqaError(
            f"with {good} accepted photos {bearable} can be given at confidence {confidence:.3g}; "
            f"{_percent(max_false_refusal)} needs {needed} or more: give more photos, or ask for less"
        )
    if not bad:
        raise PocketiqaError("no refused photos: nothing says what the gate should catch; give some")


def _tested(path: np.ndarray, levels: np.ndarray, is_good: np.ndarray, alpha: float, confidence: float) -> Thresholds:
    """The last gate of the path, int steps×m, before the first that the good photos do not pass."""
    refused_by = np.min(
        [np.searchsorted(path[:, measure], levels[:, measure], "right") for measure in range(path.shape[1])], axis=0
    )  # the first gate that refuses each photo; no later one takes it back
    good, bad = refused_by[is_good], refused_by[~is_good]
    allowed = 0  # good photos that a gate may refuse; with fewer photos than needed we are not here
    while at_most(allowed + 1, len(good), alpha) <= 1 - confidence:
        allowed += 1
    # The gate before the one that refuses one more; the last of the path where none does.
    taken = int(np.sort(np.append(good, len(path)))[allowed]) - 1
    refused, caught = int((good <= taken).sum()), int((bad <= taken).sum())
    if not caught:
        raise PocketiqaError(
            f"no gate keeps the promise on {len(good)} accepted photos and refuses any of {len(bad)} refused ones: "
            "this network sees too little difference between them; check the labels, or ask for less"
        )
    bound = upper_bound(refused, len(good), confidence)
    return Thresholds(tuple(map(int, path[taken])), bound, len(good), refused, len(bad), caught)


def _drawn(is_good: np.ndarray, seed: int) -> np.ndarray:
    """A mask over one photo in ``PATH_SHARE`` of the good ones and of the bad ones."""
    chosen = np.zeros(len(is_good), dtype=bool)
    generator = np.random.default_rng(seed)
    for group in (np.flatnonzero(is_good), np.flatnonzero(~is_good)):
        chosen[generator.permutation(group)[: len(group) // PATH_SHARE]] = True
    return chosen


def _score_path(measures: int) -> np.ndarray:
    path = np.zeros((STEPS + 1, measures), dtype=np.int64)
    path[:, 0] = np.arange(STEPS + 1)
    return path


def _peeled_path(levels: np.ndarray, is_good: np.ndarray, alpha: float) -> np.ndarray:
    """Gates, int steps×m, from one that refuses nothing, each little stricter than the one before it."""
    good, bad = levels[is_good], levels[~is_good]
    far_off = good.min(axis=0) // 2
    far_off[0] = 0
    path = [far_off * step // STEPS for step in range(0, STEPS + 1, 20)]
    bad = bad[(bad >= far_off).all(axis=1)]
    fewest = len(good) - math.ceil(_WIDEST * alpha * len(good))
    while len(good) > fewest and (raised := _best_raise(good, bad)) is not None:
        measure, highest = raised
        for step in range(path[-1][measure] + 1, highest + 1):
            path.append(path[-1].copy())
            path[-1][measure] = step
        good, bad = good[good[:, measure] >= highest], bad[bad[:, measure] >= highest]
    return np.array(path)


def _best_raise(good: np.ndarray, bad: np.ndarray) -> tuple[int, int] | None:
    """The measure and its threshold that refuse most bad photos for each good one; None where none refuses any."""
    best, choice = 0.0, None
    for measure in range(good.shape[1]):
        good_values, bad_values = np.sort(good[:, measure]), np.sort(bad[:, measure])
        thresholds = good_values[[cost for cost in _LOOK_AHEAD if cost < len(good_values)]]
        costs, caught = np.searchsorted(good_values, thresholds), np.searchsorted(bad_values, thresholds)
        gains = caught / (costs + 0.5)
        if len(gains) and gains.max() > best:
            best, choice = gains.max(), (measure, int(thresholds[gains.argmax()]))
    return choice


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"
