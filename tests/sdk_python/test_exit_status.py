"""However a command ends, its user gets one line and the right status."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pocketiqa.errors import BundleError, PhotoError, PocketiqaError, RuntimeUnavailable
from pocketiqa.exit_status import run_command
from pocketiqa.files import atomic_file


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


def in_shell(body: str, redirections: str) -> subprocess.CompletedProcess:
    line = f"exec {shlex.join(command(body))} {redirections}"
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60)


@pytest.mark.skipif(os.name != "posix", reason="closed by a shell")
@pytest.mark.parametrize(
    ("body", "redirections", "status", "output", "errors"),
    [
        ("print('x')", ">&-", 1, "", "prog: standard output is closed; open it, or write into a file\n"),
        ("return 0", ">&-", 0, "", ""),
        ("print('x')", "2>&-", 0, "x\n", ""),
        ("raise ValueError('mend it')", "2>&-", 2, "", ""),
        ("raise ValueError('mend it')", "2>/dev/full", 2, "", ""),
        ("print('x'); return 1", "<&-", 1, "x\n", ""),
        ("raise ValueError('mend it')", "<&- >&-", 2, "", "prog: mend it\n"),
        ("return 1", "<&- >&- 2>&-", 1, "", ""),
    ],
)
def test_a_closed_or_full_stream_is_no_fault_until_it_is_needed(
    body: str, redirections: str, status: int, output: str, errors: str
) -> None:
    done = in_shell(body, redirections)
    assert (done.returncode, done.stdout, done.stderr) == (status, output, errors)


@pytest.mark.skipif(os.name != "posix", reason="closed by a shell")
def test_a_file_that_is_opened_never_takes_the_place_of_a_closed_stream(tmp_path: Path) -> None:
    body = f"import os; f = open({str(tmp_path / 'file')!r}, 'w'); f.write('ours'); os.write(1, b'a library\\n')"
    done = in_shell(body, "<&- >&- 2>&-")
    assert done.returncode == 0 and (tmp_path / "file").read_text() == "ours"


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_stream_may_be_none(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"sys.{name}", None)
    assert run_command("prog", lambda: print("x")) == (1 if name == "stdout" else 0)


@pytest.fixture
def handlers_come_back() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers_come_back")
@pytest.mark.parametrize(("number", "name"), [(signal.SIGTERM, "SIGTERM"), (signal.SIGHUP, "SIGHUP")])
def test_a_request_to_end_cleans_up_and_is_told_by_the_status(
    number: int, name: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    def run() -> None:
        with atomic_file(tmp_path / "half") as file:
            file.write("half")
            os.kill(os.getpid(), number)
            pytest.fail("it went on")

    assert run_command("prog", run) == 128 + number
    assert capsys.readouterr().err == f"prog: ended by {name}\n"
    assert list(tmp_path.iterdir()) == []
    # The process is about to end: the next request finds nobody.
    assert {signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)} == {signal.SIG_IGN}


def test_after_a_command_signals_are_what_they_were() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert run_command("prog", lambda: 1) == 1
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_signal_that_somebody_handles_or_ignores_stays_theirs() -> None:
    seen = []
    before = [signal.signal(signal.SIGTERM, lambda *_: seen.append(1)), signal.signal(signal.SIGHUP, signal.SIG_IGN)]
    try:
        both = lambda: [os.kill(os.getpid(), number) for number in (signal.SIGTERM, signal.SIGHUP)] and None  # noqa: E731
        assert run_command("prog", both) == 0
        assert seen == [1]
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGHUP, before[1])
