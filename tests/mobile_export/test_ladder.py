"""The parity ladder: it finds the first step that broke, and says by how much."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from pocketiqa.errors import RuntimeUnavailable
from pocketiqa.promises import ANY_NETWORK, Promise

from mobile_export.verify.bounds import SAME_GRAPH, Bound, Promised, Scales, same_int8_graph
from mobile_export.verify.checks import Subject, check_outputs
from mobile_export.verify.ladder import BrokenParityCheck, ParityLadder, not_executed
from mobile_export.verify.rounding import Rounding
from mobile_export.verify.tables import summary, table

QUANTIZATION = Promised(ANY_NETWORK)
INPUTS = [np.full((1,), value) for value in np.linspace(0.1, 0.9, 30)]


def quality(views: np.ndarray, shift: float = 0.0) -> np.ndarray:
    return np.clip(np.full((1, 7), views[0] + shift), 0, 1)


@pytest.fixture
def ladder() -> ParityLadder:
    ladder = ParityLadder(INPUTS)
    ladder.step("float", quality)
    return ladder


def test_equal_steps_hold_with_no_difference(ladder: ParityLadder) -> None:
    ladder.step("copy", quality)
    ladder.check("float", "copy", Bound(max_abs=1e-9))
    (check,) = ladder.checks
    assert check.holds and check.max_abs == 0 and check.srcc == 1 and check.n == 30


def test_the_ladder_ends_at_its_first_broken_check_and_names_it(ladder: ParityLadder) -> None:
    ladder.step("shifted", lambda views: quality(views, 0.02))
    with pytest.raises(BrokenParityCheck, match="float ↔ shifted"):
        ladder.check("float", "shifted", Bound(max_abs=1e-3))
    assert "BROKEN" in table(ladder.checks)


def test_the_worst_input_is_named(ladder: ParityLadder) -> None:
    ladder.names = [f"{number}.jpg" for number in range(30)]
    ladder.step("off", lambda views: quality(views, 0.1 * (views[0] == INPUTS[7][0])))
    ladder.check("float", "off", Bound(max_abs=1))
    assert ladder.checks[0].worst == "7.jpg"


def test_swapped_attributes_break_a_check_although_the_score_agrees(ladder: ParityLadder) -> None:
    outputs = lambda views: np.linspace(0, 1, 7)[None] * views[0]  # noqa: E731
    ladder.step("straight", outputs)
    ladder.step("swapped", lambda views: outputs(views)[:, [0, 2, 1, 3, 4, 5, 6]])
    with pytest.raises(BrokenParityCheck) as broken:
        ladder.check("straight", "swapped", Bound(max_abs=1e-3))
    assert broken.value.check.mean_abs == 0


def test_a_quantized_step_must_keep_the_order_of_photos(ladder: ParityLadder) -> None:
    order = {views[0]: (index * 7) % 30 for index, views in enumerate(INPUTS)}
    ladder.step("shuffled", lambda views: np.full((1, 7), 0.5 + 0.0001 * order[views[0]]))
    ladder.step("flat float", lambda views: np.full((1, 7), 0.5 + 0.001 * views[0]))
    with pytest.raises(BrokenParityCheck, match="SRCC"):
        ladder.check("flat float", "shuffled", QUANTIZATION)


def test_an_output_that_is_not_finite_breaks_the_check(ladder: ParityLadder) -> None:
    ladder.step("nan", lambda views: np.full((1, 7), np.nan))
    with pytest.raises(BrokenParityCheck):
        ladder.check("float", "nan", Bound(max_abs=1.0))


def test_noise_is_a_row_of_its_own_and_judged_only_where_something_is_promised() -> None:
    ladder = ParityLadder(INPUTS, noise=[np.full((1,), 0.5)])
    ladder.step("float", quality)
    ladder.step("other on noise", lambda views: quality(views, -0.1 * (views[0] == 0.5)))
    ladder.check("float", "other on noise", QUANTIZATION)
    assert [(check.inputs, check.n, check.bound == "not promised") for check in ladder.checks] == [
        ("photos", 30, False),
        ("noise", 1, True),
    ]
    with pytest.raises(BrokenParityCheck, match="on noise"):
        ladder.check("float", "other on noise", Bound(max_abs=1e-3))
    ladder.check("float", "other on noise", Bound(max_abs=0.2, mean_abs=0.01))  # a mean of one is no mean
    assert ladder.checks[-1].bound == "max |Δ| ≤ 0.2"


def test_two_programs_of_one_int8_graph_may_differ_as_rounding_explains_and_no_more_than_int8_from_float() -> None:
    def bound(step: float, falls: float, promise: Promise) -> Bound:
        return same_int8_graph(Scales(0.1, Rounding(step, 3 * falls, falls), promise))

    assert bound(0.01, 0.001, Promise()) == Bound(max_abs=0.02, mean_abs=0.005)
    assert bound(0.01, 0.005, Promise()) == Bound(max_abs=pytest.approx(0.03), mean_abs=0.01)
    assert bound(0.01, 0.1, ANY_NETWORK).mean_abs == 2 * ANY_NETWORK.mean_abs
    assert bound(1e-9, 0.0, ANY_NETWORK).max_abs == SAME_GRAPH.max_abs


def test_an_artifact_that_cannot_be_executed_is_a_row_and_ends_nothing(ladder: ParityLadder) -> None:
    ladder.add(not_executed("float", "coreml (interpreted)", "the reference interpreter lacks the operator cumsum"))
    (check,) = ladder.checks
    assert check.verdict == "not run" and check.holds is None
    assert "not executed here: the reference interpreter lacks the operator cumsum" in table(ladder.checks)


def test_the_summary_has_one_line_an_artifact_with_its_worst_photo_and_the_worst_of_its_verdicts() -> None:
    ladder = ParityLadder(INPUTS, noise=[np.full((1,), 0.5)], names=[f"{number}.jpg" for number in range(30)])
    ladder.step("float", quality)
    ladder.about = "first"
    ladder.step("off", lambda views: quality(views, 0.01 * (views[0] == INPUTS[7][0])))
    ladder.check("float", "off", Bound(max_abs=1))
    ladder.about = "second"
    ladder.step("wrong on noise", lambda views: quality(views, 0.3 * (views[0] == 0.5)))
    with pytest.raises(BrokenParityCheck):
        ladder.check("float", "wrong on noise", Bound(max_abs=0.1))
    _, _, first, second = summary(ladder.checks, {"first": (2_500_000, 1)}).splitlines()
    assert first.split() == ["first", "2.50", "2", "1.0e-02", "7.jpg", "max", "|Δ|", "≤", "1", "holds"]
    assert second.split()[0] == "second" and second.endswith("BROKEN")


def test_a_table_for_markdown_keeps_its_columns_whatever_its_cells_hold(ladder: ParityLadder) -> None:
    ladder.step("copy", quality)
    ladder.check("float", "copy", Bound(max_abs=1e-9))
    bars = {len(re.findall(r"(?<!\\)\|", line)) for line in table(ladder.checks, "github").splitlines()}
    assert bars == {10}


def test_a_program_that_its_runtime_refuses_is_a_broken_check(ladder: ParityLadder, tmp_path: Path) -> None:
    def refuse(path: Path) -> None:
        raise RuntimeUnavailable("executorch cannot load the program")

    subject = Subject("fp32", "fp32 .pte", tmp_path, None, refuse, (("float", Bound()),), ladder, [])
    with pytest.raises(BrokenParityCheck, match=r"float ↔ fp32 \.pte: its runtime refuses it: executorch cannot load"):
        check_outputs(subject)
