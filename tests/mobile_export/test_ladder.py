"""The parity ladder: it finds the first step that broke, and says by how much."""

from __future__ import annotations

import numpy as np
import pytest

from mobile_export.verify.bounds import QUANTIZATION, Bound
from mobile_export.verify.ladder import BrokenRung, Ladder, table

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
    ladder.rung("float", "copy", Bound(max_abs=1e-9))
    (rung,) = ladder.rungs
    assert rung.holds and rung.max_abs == 0 and rung.srcc == 1 and rung.n == 30


def test_the_ladder_ends_at_its_first_broken_rung_and_names_it(ladder: Ladder) -> None:
    ladder.step("shifted", lambda views: quality(views, 0.02))
    with pytest.raises(BrokenRung, match="float ↔ shifted"):
        ladder.rung("float", "shifted", Bound(max_abs=1e-3))
    assert "BROKEN" in table(ladder.rungs)


def test_the_worst_input_is_named(ladder: Ladder) -> None:
    ladder.names = [f"{number}.jpg" for number in range(30)]
    ladder.step("off", lambda views: quality(views, 0.1 * (views[0] == INPUTS[7][0])))
    ladder.rung("float", "off", Bound(max_abs=1))
    assert ladder.rungs[0].worst == "7.jpg"


def test_swapped_attributes_break_a_rung_although_the_score_agrees(ladder: Ladder) -> None:
    outputs = lambda views: np.linspace(0, 1, 7)[None] * views[0]  # noqa: E731
    ladder.step("straight", outputs)
    ladder.step("swapped", lambda views: outputs(views)[:, [0, 2, 1, 3, 4, 5, 6]])
    with pytest.raises(BrokenRung) as broken:
        ladder.rung("straight", "swapped", Bound(max_abs=1e-3))
    assert broken.value.rung.mean_abs == 0


def test_a_quantized_step_must_keep_the_order_of_photos(ladder: Ladder) -> None:
    order = {views[0]: (index * 7) % 30 for index, views in enumerate(INPUTS)}
    ladder.step("shuffled", lambda views: np.full((1, 7), 0.5 + 0.0001 * order[views[0]]))
    ladder.step("flat float", lambda views: np.full((1, 7), 0.5 + 0.001 * views[0]))
    with pytest.raises(BrokenRung, match="SRCC"):
        ladder.rung("flat float", "shuffled", QUANTIZATION)


def test_an_output_that_is_not_finite_breaks_the_rung(ladder: Ladder) -> None:
    ladder.step("nan", lambda views: np.full((1, 7), np.nan))
    with pytest.raises(BrokenRung):
        ladder.rung("float", "nan", Bound(max_abs=1.0))


def test_noise_is_a_row_of_its_own_and_judged_only_where_something_is_promised() -> None:
    ladder = Ladder(INPUTS, noise=[np.full((1,), 0.5)])
    ladder.step("float", quality)
    ladder.step("other on noise", lambda views: quality(views, -0.1 * (views[0] == 0.5)))
    ladder.rung("float", "other on noise", QUANTIZATION)
    assert [(rung.inputs, rung.n, rung.bound == "not promised") for rung in ladder.rungs] == [
        ("photos", 30, False),
        ("noise", 1, True),
    ]
    with pytest.raises(BrokenRung, match="on noise"):
        ladder.rung("float", "other on noise", Bound(max_abs=1e-3))
