"""Figures and bounds: each bound can break, ties do not count as flips, opinions belong to the first photos."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pocketiqa.parity import clear_flips
from pocketiqa.promises import SHIPPED

from quantize.figures import measure, table

SCORES = np.linspace(0.1, 0.9, 200)


def test_equal_scores_break_no_bound() -> None:
    figures = measure(SCORES, SCORES, SCORES[:50])
    assert figures.broken(SHIPPED) == []
    assert figures.mos_drop == 0 and figures.flips == 0


@pytest.mark.parametrize(
    ("candidate", "named"),
    [
        (SCORES + 0.003, "|bias|"),
        (SCORES + np.where(np.arange(200) % 2, 0.006, -0.006), "mean |Δ|"),
        (SCORES + np.where(np.arange(200) == 7, 0.04, 0), "max |Δ|"),
        (np.where(np.arange(200) == 0, 0.5, SCORES), "clear flips"),
        (SCORES[::-1], "SRCC"),
    ],
)
def test_each_bound_is_named_when_it_breaks(candidate: np.ndarray, named: str) -> None:
    assert any(line.startswith(named) for line in measure(SCORES, candidate).broken(SHIPPED))


def test_a_loss_against_opinions_breaks_a_bound() -> None:
    mos = SCORES[:100]
    worse = SCORES.copy()
    worse[:100] += 0.1 * np.random.default_rng(0).standard_normal(100)
    figures = measure(SCORES, worse, mos)
    assert figures.mos_drop > 0.003 and any("MOS" in line for line in figures.broken(SHIPPED))
    low, high = figures.mos_interval
    assert low < figures.mos_srcc < high


def test_a_rank_correlation_that_is_not_defined_is_left_out_of_the_record_and_keeps_no_promise() -> None:
    figures = measure(np.full(9, 0.5), SCORES[:9])
    assert "srcc" not in figures.to_dict() and json.dumps(figures.to_dict(), allow_nan=False)
    assert any("SRCC" in line for line in measure(np.full(200, 0.5), SCORES).broken(SHIPPED))


def test_only_clear_pairs_count_as_flipped() -> None:
    reference = np.array([0.50, 0.52, 0.70])
    assert clear_flips(reference, np.array([0.53, 0.51, 0.70])) == 0
    assert clear_flips(reference, np.array([0.71, 0.51, 0.70])) == pytest.approx(1 / 2)


def test_the_table_has_a_row_a_student_and_further_columns() -> None:
    lines = table({"a": measure(SCORES, SCORES), "b": measure(SCORES, SCORES)}, {"MB": ["1.0", "2.0"]}).splitlines()
    cells = [cell.strip() for cell in lines[3].strip("|").split("|")]
    assert len(lines) == 4 and cells[:2] == ["b", "200"] and cells[-1] == "2.0"
