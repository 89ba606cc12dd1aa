"""Two result files: a regression is only what the interval shows."""

import sys
from pathlib import Path

import msgspec
import pytest
from test_record import example

from benchmarks.__main__ import main
from benchmarks.compare import caveats, changes


@pytest.mark.parametrize(
    ("scale", "verdict"),
    [(1.0, "no change shown"), (1.03, "no change shown"), (1.3, "regression"), (0.7, "improvement")],
)
def test_a_change_is_judged_by_its_interval(scale: float, verdict: str) -> None:
    (change,) = changes(example(), example(scale))
    assert change.verdict == verdict
    assert change.ratio.low <= scale <= change.ratio.high


def test_a_margin_decides_what_is_a_regression() -> None:
    assert changes(example(), example(1.3), margin=0.5)[0].verdict == "no change shown"


def test_other_devices_and_flags_are_named() -> None:
    other = example()
    other.device = msgspec.structs.replace(other.device, model="Another Phone")
    said = caveats(example(), other)
    assert "model differs: Maker Phone and Another Phone" in said
    assert "before, int8: a flag" in said


@pytest.mark.parametrize(("scale", "code"), [(1.0, 0), (1.5, 1)])
def test_the_command_ends_with_1_for_a_regression(tmp_path: Path, monkeypatch, scale: float, code: int) -> None:
    example().write(tmp_path / "a.json")
    example(scale).write(tmp_path / "b.json")
    monkeypatch.setattr(sys, "argv", ["benchmarks", "compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")])
    assert main() == code
