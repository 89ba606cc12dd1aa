"""A ``.bpte`` carries its golden cases, and ExecuTorch's own check passes on right ones and fails on wrong ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import small_student
from pocketiqa.runtime import load_program

from mobile_export.lower.bundled_program import run_bundled_program, write_bundled_program


@pytest.fixture(scope="module")
def cases(int8: Path) -> list[tuple[np.ndarray, tuple[np.ndarray, ...]]]:
    loaded = load_program(int8, prefer="executorch")
    return [(photo, loaded.run(photo)) for photo in small_student.photos()[:2]]


def test_the_runtime_passes_its_own_cases_and_gives_their_outputs(
    int8: Path, cases: list, tmp_path: Path
) -> None:
    write_bundled_program(int8, cases, tmp_path / "a.bpte")
    found = run_bundled_program(tmp_path / "a.bpte", len(cases), 1e-4)
    assert [np.array_equal(quality, outputs[0]) for quality, (_, outputs) in zip(found, cases)] == [True, True]


def test_a_wrong_expectation_fails(int8: Path, cases: list, tmp_path: Path) -> None:
    wrong = [(photo, (quality + 0.01, quality_map)) for photo, (quality, quality_map) in cases]
    write_bundled_program(int8, wrong, tmp_path / "a.bpte")
    with pytest.raises(ValueError, match="case 0"):
        run_bundled_program(tmp_path / "a.bpte", len(wrong), 1e-4)


def test_two_writings_are_the_same_bytes(int8: Path, cases: list, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_bundled_program(int8, cases, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
