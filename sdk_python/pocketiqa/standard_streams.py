"""The three standard streams, also where the caller closed some: ``>&-``, ``2>&-``, a service, ``pythonw``.

Python then sets ``sys.stdout`` to None, and the next file that is opened gets descriptor 1: what native code prints
would end up in it.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from typing import IO


class Nowhere(io.TextIOBase):
    """Takes what is written and drops it."""

    def write(self, text: str) -> int:
        return len(text)


class _Closed(io.TextIOBase):
    def write(self, text: str) -> int:
        raise OSError(errno.EBADF, "standard output is closed; open it, or write into a file")


def complete_streams() -> None:
    """Open each closed standard descriptor on the null device, and put a stream where Python has None: writing to
    standard output then says that it is closed, and lines for standard error are dropped."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                opened = os.open(os.devnull, os.O_RDWR)
                if opened != descriptor:
                    os.dup2(opened, descriptor)
                    os.close(opened)
    sys.stdout = sys.stdout or _Closed()
    sys.stderr = sys.stderr or Nowhere()


def settle(stream: IO[str]) -> None:
    """Write out what is still buffered; where it can go nowhere, drop it, or Python would try once more at its end."""
    try:
        stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class Patient(io.TextIOBase):
    """A stream for remarks. What cannot be written, because the reader has gone or the disk is full, is dropped:
    no remark is worth the work that it is about."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:
        """The stream's own."""
        return getattr(self._stream, "encoding", None) or "ascii"

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            settle(self._stream)
        return len(text)

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()
