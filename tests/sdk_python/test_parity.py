"""The measures agree with scipy's, ties included, and the verdict follows the promise."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from pocketiqa.parity import clear_flips, compare, flip_rate, krcc, plcc, ranks, rmse, srcc
from pocketiqa.promises import Promise

random = np.random.default_rng(3)
SMOOTH = random.random(60)
TIED = np.round(random.random(60), 1)


@pytest.mark.parametrize(("x", "y"), [(SMOOTH, TIED), (TIED, np.roll(TIED, 1)), (SMOOTH, SMOOTH**3)])
def test_correlations_agree_with_scipys_also_with_ties(x: np.ndarray, y: np.ndarray) -> None:
    stats = pytest.importorskip("scipy.stats")
    assert srcc(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
    assert plcc(x, y) == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-12)
    assert krcc(x, y) == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-12)


def test_ties_share_their_average_rank() -> None:
    assert ranks([10, 20, 20, 5]).tolist() == [2, 3.5, 3.5, 1]


def test_a_monotone_change_keeps_every_rank() -> None:
    assert srcc(SMOOTH, np.exp(SMOOTH)) == pytest.approx(1)
    assert krcc(SMOOTH, np.exp(SMOOTH)) == pytest.approx(1)
    assert flip_rate(SMOOTH, np.exp(SMOOTH)) == 0


def test_two_scores_are_one_pair() -> None:
    for measure in (srcc, krcc, plcc):
        assert measure([0.1, 0.2], [0.3, 0.4]) == pytest.approx(1)
        assert measure([0.1, 0.2], [0.4, 0.3]) == pytest.approx(-1)


def test_a_reversed_order_flips_every_pair() -> None:
    assert srcc(SMOOTH, -SMOOTH) == pytest.approx(-1)
    assert flip_rate(SMOOTH, -SMOOTH) == 1


def test_a_pair_that_is_level_in_either_column_is_no_flip_and_one_score_has_no_pairs() -> None:
    assert flip_rate([1, 2, 3], [1, 1, 1]) == flip_rate([1, 1], [1, 2]) == flip_rate([1], [5]) == 0
    assert flip_rate([1, 2, 3], [2, 1, 3]) == pytest.approx(1 / 3)


def test_scores_without_names_are_named_by_position() -> None:
    assert [case[0] for case in compare([0.1, 0.2, 0.3], [0.1, 0.5, 0.4]).worst] == ["1", "2", "0"]


def test_a_pair_is_clear_from_a_difference_of_a_twentieth_on_and_only_clear_pairs_flip_clearly() -> None:
    assert clear_flips([0.50, 0.54], [0.54, 0.50]) == 0 and flip_rate([0.50, 0.54], [0.54, 0.50]) == 1
    assert clear_flips([0.50, 0.56], [0.56, 0.50]) == clear_flips([0.56, 0.50], [0.50, 0.56]) == 1
    assert clear_flips([0.1, 0.2, 0.3], [0.2, 0.1, 0.3]) == pytest.approx(1 / 3)
    assert clear_flips([0.1, 0.2], [0.1, 0.1]) == 0 and clear_flips([0.5], [0.1]) == 0


def test_a_share_holds_at_its_bound_and_counts_from_its_number_of_photos() -> None:
    scores = np.repeat(np.arange(12) / 12, 2)
    assert compare(scores, scores).broken(Promise(unique=0.5)) == []
    assert compare(scores, scores).broken(Promise(unique=0.6))
    assert compare(scores[:23], scores[:23]).broken(Promise(unique=0.6)) == []


def test_a_constant_column_has_no_correlation_and_keeps_no_bound() -> None:
    report = compare(SMOOTH, np.full(60, 0.5))
    assert math.isnan(report.srcc) and math.isnan(report.plcc) and math.isnan(report.krcc)
    assert any("SRCC" in line for line in report.broken())
    assert report.to_dict()["srcc"] is None
    json.dumps(report.to_dict(), allow_nan=False)


def test_differences_are_counted_from_reference_to_candidate() -> None:
    report = compare([0.1, 0.2, 0.3], [0.2, 0.2, 0.5], ["a", "b", "c"])
    assert report.max_abs == pytest.approx(0.2)
    assert report.mean_abs == report.bias == pytest.approx(0.1)
    assert report.rmse == pytest.approx(rmse([0, 0, 0], [0.1, 0, 0.2]))
    assert report.worst[0] == ("c", 0.3, 0.5)
    assert report.unique_share == pytest.approx(2 / 3)
    assert "c" in str(report) and "SRCC" in str(report)


def test_a_report_as_a_dictionary_is_its_fields_with_cases_by_name() -> None:
    report = compare([0.1, 0.2, 0.3], [0.2, 0.2, 0.5], ["a", "b", "c"])
    found = report.to_dict()
    assert set(found) == {field.name for field in dataclasses.fields(report)}
    assert found["worst"][0] == {"name": "c", "reference": 0.3, "candidate": 0.5}
    assert found["n"] == 3 and found["max_abs"] == report.max_abs


def test_few_photos_are_judged_by_their_differences_only() -> None:
    swapped = compare([0.500, 0.501], [0.501, 0.500])
    assert swapped.srcc == pytest.approx(-1)
    assert swapped.broken() == []
    assert swapped.broken(Promise(bias=0, flips=0, unique=1)) == []
    assert len(compare([0.5], [0.6]).broken()) == 1


def test_each_bound_breaks_alone_and_is_named() -> None:
    coarse = np.round(np.sort(SMOOTH), 2)
    assert [line.split()[0] for line in compare(np.sort(SMOOTH), coarse).broken()] == ["unique"]
    assert [line.split()[0] for line in compare(SMOOTH, SMOOTH + 0.02).broken()] == ["mean"]
    noisy = SMOOTH + random.normal(0, 0.2, 60)
    assert [line.split()[0] for line in compare(SMOOTH, noisy).broken(Promise(srcc=0.99))] == ["SRCC"]


@pytest.mark.parametrize(
    ("x", "y", "names", "reason"),
    [
        ([], [], None, "no scores"),
        ([1, 2], [1], None, "one length"),
        ([[1]], [[1]], None, "one length"),
        ([1.0], [math.nan], None, "finite"),
        ([1.0], [1.0], ["a", "b"], "names"),
    ],
)
def test_what_cannot_be_compared_is_refused(x: list, y: list, names: list | None, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        compare(x, y, names)


def test_a_report_is_held_to_every_bound_of_a_promise() -> None:
    shifted = compare(SMOOTH, SMOOTH + 0.02)
    assert [line.split()[0] for line in shifted.broken(Promise(max_abs=0.01, bias=0.01))] == ["max", "|bias|"]
    turned = compare(SMOOTH, 1 - SMOOTH)
    assert [line.split()[0] for line in turned.broken(Promise(flips=0.5))] == ["clear"]
    assert compare(SMOOTH, SMOOTH - 0.02).broken(Promise(bias=0.01))
