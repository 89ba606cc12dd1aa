"""The rung of decisions: photos that a gate decides otherwise by int8, counted and judged, and a bundle's own gate."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pocketiqa.errors import PocketiqaError
from pocketiqa.gate import Fit, Gate, Threshold

from mobile_export.artifacts import XNNPACK_INT8
from mobile_export.bundle.writer import GATE, BundleWriter
from mobile_export.graphs import FLOAT
from mobile_export.verify.decisions import check_decisions
from mobile_export.verify.ladder import BrokenParityCheck, ParityLadder
from mobile_export.verify.tables import table

INPUTS = [np.full((1,), value) for value in np.linspace(0.0, 1.0, 401)]
SHARP = Gate((Threshold("sharpness", 0.5, "too blurred"),))


def ladder_with(shift: float, inputs: list[np.ndarray] = INPUTS) -> ParityLadder:
    ladder = ParityLadder(inputs)
    ladder.step(FLOAT, lambda views: np.array([[0.9, views[0]]]))
    ladder.step(XNNPACK_INT8.step, lambda views: np.array([[0.9, views[0] + shift]]))
    return ladder


def test_photos_on_the_other_side_of_a_threshold_are_counted_with_an_interval() -> None:
    ladder = ladder_with(-0.004)
    check_decisions(ladder, SHARP, ("score", "sharpness"), FLOAT, XNNPACK_INT8.step)
    (check,) = ladder.checks
    assert (check.inputs, check.n, check.max_abs, check.holds) == ("decisions", 401, 2 / 401, True)
    assert "95 % interval 0.1% to 1.8%" in check.bound and check.worst == "photo 200"


def test_more_flips_than_are_promised_break_the_ladder() -> None:
    ladder = ladder_with(-0.02)
    with pytest.raises(BrokenParityCheck, match="on decisions"):
        check_decisions(ladder, SHARP, ("score", "sharpness"), FLOAT, XNNPACK_INT8.step)
    assert "BROKEN" in table(ladder.checks)


def test_a_step_that_was_not_run_is_passed_over() -> None:
    ladder = ladder_with(0.0)
    check_decisions(ladder, SHARP, ("score", "sharpness"), FLOAT, "another")
    assert not ladder.checks


def writer(folder: Path, gate: Gate | None) -> BundleWriter:
    path = None
    if gate is not None:
        gate.write(path := folder / "mine.gate.json")
    (folder / "bundle").mkdir()
    network = SimpleNamespace(name="small", attributes=("sharpness",))
    bundle = BundleWriter(folder / "bundle", SimpleNamespace(network=network, gate=path))
    file = bundle.path(XNNPACK_INT8.path)
    file.write_bytes(b"program")
    bundle.add_artifact(XNNPACK_INT8, None)
    return bundle


def test_the_gate_beside_the_int8_state_goes_into_the_bundle_and_is_checked(tmp_path: Path) -> None:
    bundle, ladder = writer(tmp_path, SHARP), ladder_with(0.0)
    bundle.add_gate(ladder)
    assert bundle.gate == GATE and GATE in bundle.files and Gate.read(tmp_path / "bundle" / GATE) == SHARP
    assert [check.about for check in ladder.checks] == ["gate"] and not bundle.notes


def test_without_a_gate_nothing_is_added(tmp_path: Path) -> None:
    bundle, ladder = writer(tmp_path, None), ladder_with(0.0)
    bundle.add_gate(ladder)
    assert bundle.gate == "" and not ladder.checks


def test_a_gate_of_another_program_is_noted(tmp_path: Path) -> None:
    fit = Fit(0.02, 0.95, 0.01, 300, 1, 10, 5, "counted", "other int8", "0" * 64, "photos", "2026-11-27")
    bundle = writer(tmp_path, Gate(SHARP.thresholds, (), fit))
    bundle.add_gate(ladder_with(0.0))
    assert bundle.notes == ["The gate was fitted to another program (other int8); fit it anew."]


def test_a_gate_for_values_that_the_network_does_not_give_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PocketiqaError, match="asks for 'beauty'"):
        writer(tmp_path, Gate((Threshold("beauty", 0.5, "ugly"),))).add_gate(ladder_with(0.0))
