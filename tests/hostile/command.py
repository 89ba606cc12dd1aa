"""The command ``pocketiqa`` as its user starts it, without the seconds that a new interpreter takes."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from dataclasses import dataclass
from typing import NoReturn

from pocketiqa.cli import main

from tests.hostile.isolation import MEMORY_MIB, SECONDS, in_a_child

_TRACEBACK = 70


@dataclass(frozen=True)
class Said:
    """What a command said, and how it ended.

    Attributes:
        status: its exit status; None where it hung or died.
        output, errors: of its two streams.
        ending: in words.
        grown_mib, seconds: what it cost.
    """

    status: int | None
    output: str
    errors: str
    ending: str
    grown_mib: float
    seconds: float

    def misbehaviour(self) -> str | None:
        """What no input may ever cause: a hang, a crash that is not reported, a traceback, an exit status that
        means nothing, or a mistake that is not told in one line."""
        if self.status is None:
            return self.ending
        if self.status == _TRACEBACK or "Traceback (most recent call last)" in self.errors:
            return f"traceback: {self.errors.strip().splitlines()[-1]}"
        if self.status not in (0, 1, 2):
            return f"exit status {self.status}"
        told = [line for line in self.errors.splitlines() if line.startswith(("pocketiqa: ", "pocketiqa inspect: "))]
        if self.status == 2 and not told and "usage: " not in self.errors:
            return f"exit status 2 with the words {self.errors[:200]!r}"
        return None

    @property
    def crash(self) -> bool:
        """Whether native code died and the command said so."""
        return self.status == 1 and "ended the runtime" in self.errors


def pocketiqa(*arguments: str, seconds: float = SECONDS, memory_mib: int | None = MEMORY_MIB) -> Said:
    """Run the command in a child."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        ending = in_a_child(lambda: _run(arguments, output.fileno(), errors.fileno()), seconds, memory_mib)
        for file in (output, errors):
            file.seek(0)
        words = [file.read().decode(errors="replace") for file in (output, errors)]
    status = int(ending.value) if ending.kind == "exited" else None
    return Said(status, *words, f"{ending.kind}: {ending.value}", ending.grown_mib, ending.seconds)


def _run(arguments: tuple[str, ...], output: int, errors: int) -> NoReturn:
    os.dup2(output, 1)
    os.dup2(errors, 2)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", closefd=False, errors="backslashreplace")
    sys.argv = ["pocketiqa", *arguments]
    try:
        status = main()
    except SystemExit as stop:
        status = stop.code
    except BaseException:
        traceback.print_exc()
        status = _TRACEBACK
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
