"""How a command ends: every mistake is one line on standard error and an exit status, in all rooms.

    def main() -> int:
        return run_command("python -m distill", lambda: train(parse()), interrupted="the same command goes on")

Status 0: done. 1: a check failed, or the work was stopped. 2: a mistake in how the command was called or in what it
was given. 130: Ctrl-C. 143: SIGTERM, 129: SIGHUP; both are treated as Ctrl-C is. An exception class says its own status
in a class attribute ``exit_status``:

    class TrainingStopped(Exception):
        exit_status = 1

Whatever has none and is not listed in ``run_command`` is a fault of the program and keeps its traceback.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable
from typing import IO

from pocketiqa.errors import one_line
from pocketiqa.interruption import endings_raise
from pocketiqa.standard_streams import Patient, complete_streams, settle


def run_command(prog: str, run: Callable[[], int | None], *, interrupted: str = "interrupted") -> int:
    """Call ``run`` and return the process's exit status: what it returns, None being 0, or what its exception means.

    Args:
        prog: begins the line on standard error, ``prog: message``.
        run: the command, parsed; ``SystemExit`` passes through it, as argparse raises for a wrong call.
        interrupted: what Ctrl-C is answered with, for example how to go on. A ``KeyboardInterrupt`` that carries
            words of its own is answered with these.

    An exception's status is its ``exit_status`` if its class has one; 2 for ``ValueError`` and
    ``FileNotFoundError``; 1 for any other ``OSError``, ``FloatingPointError`` and ``MemoryError``; 130 for
    ``KeyboardInterrupt``, 128 + n for the signals of ``pocketiqa.interruption``. A reader of standard output that has
    gone (``| head``) ends it with 1 in silence. Closed standard streams are no fault until standard output is needed.
    """
    complete_streams()
    try:
        with endings_raise():
            _make_printable(sys.stdout)
            status = run()
            sys.stdout.flush()
        return status or 0
    except BrokenPipeError:
        settle(sys.stdout)
        return 1
    except KeyboardInterrupt as stop:
        message, status = _words_of(stop) or interrupted, 128 + getattr(stop, "number", signal.SIGINT)
    except MemoryError:
        message, status = "out of memory", 1
    except Exception as error:
        known = _status_of(error)
        if known is None:
            raise
        message, status = _message_of(error), known
    settle(sys.stdout)
    print(f"{prog}: {one_line(message)}", file=Patient(sys.stderr))
    return status


def _words_of(stop: KeyboardInterrupt) -> str:
    return str(stop.args[0]) if stop.args else ""


def _status_of(error: Exception) -> int | None:
    if isinstance(stated := getattr(type(error), "exit_status", None), int):
        return stated
    if isinstance(error, (ValueError, FileNotFoundError)):
        return 2
    return 1 if isinstance(error, (OSError, FloatingPointError)) else None


def _message_of(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{os.fsdecode(error.filename)}: {error.strerror}" if error.filename else error.strerror
    return one_line(error)


def _make_printable(stdout: IO[str]) -> None:
    """A file name need not be valid UTF-8, and a terminal need not show Δ: neither may end the command."""
    if isinstance(stdout, io.TextIOWrapper):
        is_unicode = (stdout.encoding or "").lower().startswith("utf")
        stdout.reconfigure(errors="surrogateescape" if is_unicode else "backslashreplace")
