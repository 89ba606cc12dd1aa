"""A crash of native code is one line and status 1; everything else passes through."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="commands are guarded on Linux only")

SCRIPT = """
import os, signal, sys, time
from pocketiqa.guard import guarded
def run():
    {body}
sys.exit(guarded(run))
"""


def start(body: str) -> subprocess.Popen:
    command = [sys.executable, "-c", SCRIPT.format(body=body)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("status", [0, 1, 2, 130])
def test_a_status_and_the_output_pass_through(status: int) -> None:
    process = start(f"print('said'); return {status}")
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (status, "said\n", "")


def test_an_exception_stays_one(capfd: pytest.CaptureFixture) -> None:
    process = start("raise KeyError('ours')")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and "KeyError" in errors


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGBUS", "SIGKILL"])
def test_a_crash_is_one_line_and_status_1(name: str) -> None:
    process = start(f"print('before', flush=True); os.kill(os.getpid(), signal.{name}); time.sleep(9)")
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and output == "before\n"
    assert errors.startswith(f"pocketiqa: {name} ended") and errors.count("\n") == 1


def running(body: str) -> tuple[subprocess.Popen, int]:
    process = start(f"print(os.getpid(), flush=True); {body}")
    return process, int(process.stdout.readline())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_end_reaches_the_child(number: int) -> None:
    process, _ = running("time.sleep(60)")
    process.send_signal(number)
    process.communicate(timeout=10)
    assert process.returncode == 128 + number


# Short sleeps: Python sleeps on through a signal that comes just before the sleep.
HANDLED = (
    "from pocketiqa.exit_status import run_command; "
    "return run_command('prog', lambda: (print('up', flush=True), [time.sleep(0.05) for _ in range(1200)]))"
)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("to_both", [False, True])
def test_a_command_that_handles_a_signal_gets_it_once(number: int, to_both: bool) -> None:
    body = f"signal.signal(signal.SIGINT, signal.default_int_handler); {HANDLED}"
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(body=body)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    process.stdout.readline()
    (os.killpg if to_both else os.kill)(process.pid, number)
    _, errors = process.communicate(timeout=10)
    told = {signal.SIGINT: "interrupted"}.get(number, f"ended by {signal.Signals(number).name}")
    assert (process.returncode, errors) == (128 + number, f"prog: {told}\n")


def test_ctrl_c_on_a_terminal_reaches_the_child_once() -> None:
    pty = pytest.importorskip("pty")
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", SCRIPT.format(body=HANDLED)])
    shown = b""
    while b"up" not in shown:
        shown += os.read(terminal, 1000)
    os.write(terminal, b"\x03")
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    shown = os.read(terminal, 1000)
    os.close(terminal)
    assert status == 130 and shown.replace(b"^C", b"").split() == [b"prog:", b"interrupted"]


def test_no_child_outlives_a_killed_parent() -> None:
    process, child = running("time.sleep(60)")
    process.kill()
    process.wait()
    for _ in range(100):
        try:
            with open(f"/proc/{child}/stat") as file:
                state = file.read().rsplit(")", 1)[1].split()[0]
        except OSError:
            return
        if state == "Z":
            return
        time.sleep(0.05)
    pytest.fail("the child runs on")
