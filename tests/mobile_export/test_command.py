"""The commands' mistakes are one line and exit status 2."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mobile_export.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["diagnose", "--variant", "tflite"], "coreml_w8a8"),
        (["diagnose", "--variant", "int8", "--bundle", "nowhere"], "python -m mobile_export"),
        (["agreement", "--images", "nowhere"], "holds no photos"),
        (["--student", "nowhere.safetensors"], "python -m distill student"),
    ],
    ids=["variant", "bundle", "photos", "student"],
)
def test_a_mistake_is_one_line_that_says_what_to_do(
    arguments: list[str], word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(sys, "argv", ["mobile_export", *arguments])
    monkeypatch.chdir(tmp_path)
    assert main() == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("mobile_export: ") and word in last
