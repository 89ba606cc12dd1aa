"""The command line imports what a command needs, when it is called, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from test_record import example

from benchmarks.__main__ import COMMANDS, main

CHECKOUT = Path(__file__).parents[2]
LOADED = """
import runpy, sys
sys.argv[0] = "benchmarks"
try:
    runpy.run_module("benchmarks", run_name="__main__")
except SystemExit as ended:
    print(ended.code, *sys.modules)
"""


def loaded_by(*arguments: str) -> tuple[str, set[str]]:
    """The exit status of a call in a process of its own, and the modules that it imported."""
    command = [sys.executable, "-c", LOADED, *arguments]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=300, check=True)
    status, *modules = done.stdout.splitlines()[-1].split()
    return status, set(modules)


def test_the_list_of_commands_imports_none_of_them() -> None:
    status, modules = loaded_by("--help")
    assert status == "0" and not modules & {"scipy", "tyro", "matplotlib", "torch"}


def test_comparing_two_files_imports_no_torch(tmp_path: Path) -> None:
    example().write(tmp_path / "perf.json")
    status, modules = loaded_by("compare", str(tmp_path / "perf.json"), str(tmp_path / "perf.json"))
    assert status == "0" and not modules & {"torch", "matplotlib"}


@pytest.mark.parametrize("arguments", [[], ["nosuch"], ["latency", "--nosuch"], ["compare", "one.json"]])
def test_a_wrong_call_ends_with_2(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_its_flags(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", command, "--help"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert f"python -m benchmarks {command}" in capsys.readouterr().out
