"""However a command ends, its user gets one line and the right status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from pocketiqa.errors import BundleError, PhotoError, PocketiqaError, RuntimeUnavailable
from pocketiqa.exit_status import run_command


class TrainingStopped(Exception):
    exit_status = 1


class RefusedValue(ValueError):
    exit_status = 1


def raising(error: BaseException) -> Callable[[], int]:
    def run() -> int:
        raise error

    return run


@pytest.mark.parametrize(("returned", "status"), [(None, 0), (0, 0), (1, 1), (2, 2), (True, 1), (False, 0)])
def test_a_command_that_ends_well_gives_its_own_status(
    returned: int | None, status: int, capsys: pytest.CaptureFixture
) -> None:
    assert run_command("prog", lambda: returned) == status
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (PocketiqaError("mend it"), 2, "mend it"),
        (PhotoError("mend it"), 2, "mend it"),
        (BundleError("mend it"), 2, "mend it"),
        (RuntimeUnavailable("mend it"), 2, "mend it"),
        (ValueError("--runs 1: at least 2"), 2, "--runs 1: at least 2"),
        (ValueError(), 2, "ValueError"),
        (FileNotFoundError("no teacher in runs/x; train one first"), 2, "no teacher in runs/x; train one first"),
        (FileNotFoundError(2, "No such file or directory", "a.json"), 2, "a.json: No such file or directory"),
        (PermissionError(13, "Permission denied", "/x"), 1, "/x: Permission denied"),
        (PermissionError(13, "Permission denied", b"/x\xff"), 1, "/x?: Permission denied"),
        (OSError(28, "No space left on device"), 1, "No space left on device"),
        (OSError("the tape is full"), 1, "the tape is full"),
        (TimeoutError("no answer in 10 s"), 1, "no answer in 10 s"),
        (FloatingPointError("the loss is NaN at step 7"), 1, "the loss is NaN at step 7"),
        (MemoryError(), 1, "out of memory"),
        (TrainingStopped("stopped at step 7"), 1, "stopped at step 7"),
        (RefusedValue("refused"), 1, "refused"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ValueError("two\nlines \x1b[2J"), 2, "two lines ?[2J"),
        (json.JSONDecodeError("Expecting value", "x", 0), 2, "Expecting value: line 1 column 1 (char 0)"),
    ],
)
def test_each_kind_of_mistake_has_its_line_and_its_status(
    error: BaseException, status: int, line: str, capsys: pytest.CaptureFixture
) -> None:
    assert run_command("python -m room", raising(error)) == status
    shown = capsys.readouterr()
    assert shown.err == f"python -m room: {line}\n" and shown.out == ""


@pytest.mark.parametrize("error", [RuntimeError("a bug"), KeyError("x"), AssertionError(), SystemExit(2)])
def test_a_fault_of_the_program_keeps_its_traceback(error: BaseException) -> None:
    with pytest.raises(type(error)):
        run_command("prog", raising(error))


def test_ctrl_c_is_answered_with_how_to_go_on(capsys: pytest.CaptureFixture) -> None:
    assert run_command("prog", raising(KeyboardInterrupt()), interrupted="the same command goes on") == 130
    assert capsys.readouterr().err == "prog: the same command goes on\n"


def command(body: str) -> list[str]:
    lines = ["import sys", "from pocketiqa.exit_status import run_command", "def run():", f"    {body}"]
    return [sys.executable, "-c", "\n".join([*lines, "sys.exit(run_command('prog', run))"])]


def test_a_reader_that_leaves_ends_a_command_in_silence() -> None:
    started = subprocess.Popen(
        command("[print('x' * 1000) for _ in range(1000)]"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    started.stdout.close()
    assert started.stderr.read() == b"" and started.wait(60) == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
def test_a_full_disk_behind_standard_output_is_one_line() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(command("print('x')"), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, "prog: No space left on device\n")


def test_what_was_printed_before_a_mistake_is_kept() -> None:
    done = subprocess.run(
        command("print('so far'); open('no/such/file')"), capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "so far\n")
    assert done.stderr == "prog: no/such/file: No such file or directory\n"


def test_a_delta_on_a_terminal_without_it_is_escaped() -> None:
    done = subprocess.run(
        command("print('|\\u0394|')"), capture_output=True, timeout=60, env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )
    assert done.returncode == 0 and done.stdout.strip() == b"|\\u0394|"
