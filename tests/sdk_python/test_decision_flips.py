"""Photos that a gate decides otherwise by two programs: counted, with an interval, and judged."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pocketiqa.binomial import interval
from pocketiqa.bundle import Bundle
from pocketiqa.decision_flips import DecisionFlips, decision_flips
from pocketiqa.errors import PocketiqaError
from pocketiqa.gate import Gate, Threshold
from pocketiqa.manifest import FileEntry, Manifest
from pocketiqa.verification import verify_bundle

GATE = Gate((Threshold("sharpness", 0.5, "too blurred"), Threshold("score", 0.5, "poor")))
unit = st.floats(0, 1)


def names(count: int) -> tuple[str, ...]:
    return tuple(str(number) for number in range(count))


@given(st.lists(st.tuples(unit, unit, unit, unit), min_size=1, max_size=30))
def test_flips_are_the_photos_that_one_accepts_and_the_other_refuses(rows: list[tuple[float, ...]]) -> None:
    values = np.array(rows)
    found = decision_flips(GATE, ("score", "sharpness"), values[:, :2], values[:, 2:], names(len(rows)))
    accepted = [(row[0] >= 0.5 and row[1] >= 0.5, row[2] >= 0.5 and row[3] >= 0.5) for row in rows]
    assert found.names == tuple(str(i) for i, (before, after) in enumerate(accepted) if before != after)
    assert (found.n, found.refused) == (len(rows), sum(not before for before, _ in accepted))
    assert found.interval == interval(len(found.names), len(rows))


@pytest.mark.parametrize(
    ("n", "flipped", "is_broken"), [(1000, 5, False), (1000, 6, True), (24, 1, False), (24, 2, True), (24, 0, False)]
)
def test_the_share_is_judged_and_of_few_photos_the_whole_interval(n: int, flipped: int, is_broken: bool) -> None:
    lines = DecisionFlips(n, 0, names(flipped)).broken(0.005)
    assert bool(lines) == is_broken
    assert not lines or f"differ on {flipped} of {n} photos" in lines[0]


def test_a_gate_for_other_measures_is_refused() -> None:
    with pytest.raises(PocketiqaError, match="asks for 'sharpness'"):
        decision_flips(GATE, ("score",), np.ones((1, 1)), np.ones((1, 1)), ["a"])


def with_gate(bundle: Path, folder: Path, gate: Gate) -> Path:
    """A copy of the bundle that carries the gate."""
    shutil.copytree(bundle, folder)
    gate.write(folder / "gate.json")
    manifest = Bundle.open(folder).manifest
    files = {**manifest.files, "gate.json": FileEntry.of(folder / "gate.json")}
    Manifest(**{**vars(manifest), "files": files, "gate": "gate.json"}).write(folder / "manifest.json")
    return folder


def test_verify_counts_flips_at_the_bundles_own_gate_or_another(tiny_bundle: Path, tmp_path: Path) -> None:
    assert verify_bundle(tiny_bundle).decisions is None
    found = verify_bundle(with_gate(tiny_bundle, tmp_path / "b", Gate((Threshold("score", 0.0, "poor"),))))
    assert found.decisions == DecisionFlips(len(Bundle.open(tiny_bundle).golden), 0, ()) and not found.broken
    assert "at the gate decisions differ on 0 of" in str(found) and found.to_dict()["decisions"]["share"] == 0
    strict = Gate((Threshold("score", 1.0, "poor"),))
    assert verify_bundle(tmp_path / "b", gate=strict).decisions.refused == len(Bundle.open(tiny_bundle).golden)


def test_a_bundles_gate_for_values_that_it_does_not_give_is_broken(tiny_bundle: Path, tmp_path: Path) -> None:
    found = verify_bundle(with_gate(tiny_bundle, tmp_path / "b", Gate((Threshold("beauty", 0.5, "ugly"),))))
    assert any("gate" in line and "beauty" in line for line in found.broken)
    with pytest.raises(PocketiqaError, match="beauty"):
        verify_bundle(tiny_bundle, gate=Gate((Threshold("beauty", 0.5, "ugly"),)))


def test_a_manifest_keeps_its_gate_in_smaller_bundles_and_must_list_it(tiny_bundle: Path, tmp_path: Path) -> None:
    gate = Gate((Threshold("score", 0.0, "poor"),))
    bundle = Bundle.open(with_gate(tiny_bundle, tmp_path / "b", gate))
    assert Gate.of(bundle) == gate and "gate.json" in bundle.manifest.subset({"int8"}).files
    values = bundle.manifest.to_dict()
    del values["files"]["gate.json"]
    with pytest.raises(PocketiqaError, match=r"gate names 'gate\.json'"):
        Manifest.from_dict(values)
    del values["gate"]
    assert Manifest.from_dict(values).gate == ""  # a bundle of an earlier version
