"""The parity ladder: it finds the first step that broke, and says by how much."""

from __future__ import annotations

import numpy as np
import pytest

from mobile_export.ladder import Ladder, table

INPUTS = [np.full((1,), value) for value in np.linspace(0.1, 0.9, 30)]


def quality(views: np.ndarray, shift: float = 0.0) -> np.ndarray:
    return np.clip(np.full((1, 7), views[0] + shift), 0, 1)


@pytest.fixture
def ladder() -> Ladder:
    ladder = Ladder(INPUTS)
    ladder.step("float", quality)
    return ladder


def test_equal_steps_hold_with_no_difference(ladder: Ladder) -> None:
    ladder.step("copy", quality)
    rung = ladder.rung("float", "copy", max_abs=1e-9)
    assert rung.holds and rung.max_abs == 0 and rung.srcc == 1 and rung.n == 30
    assert ladder.broken() is None


def test_the_first_broken_rung_is_named(ladder: Ladder) -> None:
    ladder.step("shifted", lambda views: quality(views, 0.02))
    ladder.step("same as shifted", lambda views: quality(views, 0.02))
    ladder.rung("float", "shifted", max_abs=1e-3)
    ladder.rung("shifted", "same as shifted", max_abs=1e-3)
    assert ladder.broken().candidate == "shifted"
    assert "BROKEN" in table(ladder.rungs)


def test_swapped_attributes_break_a_rung_although_the_score_agrees(ladder: Ladder) -> None:
    outputs = lambda views: np.linspace(0, 1, 7)[None] * views[0]  # noqa: E731
    ladder.step("straight", outputs)
    ladder.step("swapped", lambda views: outputs(views)[:, [0, 2, 1, 3, 4, 5, 6]])
    rung = ladder.rung("straight", "swapped", max_abs=1e-3)
    assert not rung.holds and rung.mean_abs == 0


def test_a_quantized_step_must_keep_the_order_of_photos(ladder: Ladder) -> None:
    order = {views[0]: (index * 7) % 30 for index, views in enumerate(INPUTS)}
    ladder.step("shuffled", lambda views: np.full((1, 7), 0.5 + 0.0001 * order[views[0]]))
    ladder.step("flat float", lambda views: np.full((1, 7), 0.5 + 0.001 * views[0]))
    assert not ladder.quantization_rung("flat float", "shuffled").holds


def test_an_output_that_is_not_finite_breaks_the_rung(ladder: Ladder) -> None:
    ladder.step("nan", lambda views: np.full((1, 7), np.nan))
    assert not ladder.rung("float", "nan", max_abs=1.0).holds
