"""The command line: what there is to train, at once and without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from distill import __main__

ROOT = Path(__file__).parents[2]


def test_the_help_names_every_command_without_importing_torch() -> None:
    code = "import sys; from distill.__main__ import main; main(); sys.exit('torch' in sys.modules)"
    command = [sys.executable, "-c", code, "--help"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    assert all(f"\n  {name} " in shown.stdout for name in ("teacher", "student", "teacher-scores"))


def test_a_mistake_in_the_arguments_is_answered_without_importing_the_exporter() -> None:
    code = """
import sys
from distill.__main__ import main
for name in ("student", "trunk", "teacher", "teacher-scores"):
    sys.argv = ["distill", name, "--no-such-flag"]
    try:
        main()
    except SystemExit as stop:
        print(stop.code, sum(module.split(".")[0] in ("executorch", "torchao") for module in sys.modules))
"""
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert said.stdout == "2 0\n" * 4, said.stderr


def test_an_unknown_command_is_answered_with_those_there_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["distill", "ablation"])
    assert __main__.main() == 2
    said = capsys.readouterr().err
    assert said.startswith("distill: there is no command 'ablation'") and "teacher,trunk,student,teacher-scores" in said
