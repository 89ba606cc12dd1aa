"""Rows that outlive their run: ``FILE.partial`` beside FILE, a JSON line a photo, until FILE itself is written.

    with Journal(output, settings, resume=True) as journal:
        if not journal.knows("photo.jpg"):
            journal.append("photo.jpg", row)
        journal.row("photo.jpg")
        ...  # write FILE of the rows
        journal.remove()

A row reaches the operating system when it is appended, so it survives the process's death by any signal; every few
seconds the disk is asked to keep it too. The first line says what the rows were made with.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from pocketiqa.errors import PocketiqaError
from pocketiqa.outputs import Row

_SECONDS_BETWEEN_SYNCS = 5.0
# The name is at fault, and not the disk.
_NO_PLACE = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL}


class OutputError(PocketiqaError):
    """Rows cannot be written: the disk is full, or the folder cannot be written."""

    exit_status = 1


class Journal:
    """The rows of a run that may be cut short.

    Args:
        output: the file that the run will write in the end; the journal is ``output.partial``.
        settings: JSON-ready; what the rows depend on. A run with others cannot go on with these rows.
        resume: go on with the rows that are there.

    Raises:
        PocketiqaError: rows of an earlier run are there and ``resume`` is not asked for, they were made with other
            settings, another run is writing them, or ``output`` names no place for a file.
        OutputError: the journal cannot be written.
    """

    def __init__(self, output: Path, settings: dict[str, Any], *, resume: bool = False) -> None:
        self.path = output.with_name(f"{output.name}.partial")
        self._places: dict[str, tuple[_Mark, int]] = {}
        self._failed: set[str] = set()
        self._synced = time.monotonic()
        try:
            self._file = open(self.path, "a+b")  # noqa: SIM115 - the journal is the context
        except OSError as error:
            if error.errno in _NO_PLACE:
                raise PocketiqaError(f"{self.path} cannot be made, name another file: {error.strerror}") from None
            raise self._unwritable(error) from None
        try:
            self._begin(settings, resume)
        except BaseException as error:
            self._file.close()
            if isinstance(error, OSError):
                raise self._unwritable(error) from None
            raise

    def __len__(self) -> int:
        return len(self._places)

    def knows(self, photo: str) -> bool:
        """Whether the row of this photo is here, without an error, and the file's size and modification time are what
        they were then."""
        known = self._places.get(photo)
        return known is not None and photo not in self._failed and known[0] == _mark_of(photo)

    def row(self, photo: str) -> Row:
        """Raises KeyError where there is none."""
        self._file.seek(self._places[photo][1])
        return json.loads(self._file.readline())["row"]

    def append(self, photo: str, row: Row) -> None:
        """Keep a row from now on.

        Raises:
            OutputError: it cannot be written; the rows before it are kept.
        """
        mark = _mark_of(photo)
        try:
            place = self._write({"photo": photo, "size": mark[0], "mtime_ns": mark[1], "row": row})
            if time.monotonic() - self._synced > _SECONDS_BETWEEN_SYNCS:
                os.fsync(self._file.fileno())
                self._synced = time.monotonic()
        except OSError as error:
            raise self._unwritable(error) from None
        self._note(photo, mark, place, row)

    @property
    def advice(self) -> str:
        """How to go on, on one line."""
        return f"{len(self)} rows are kept in {self.path}: the same command with --resume goes on"

    def remove(self) -> None:
        """The rows stand in the output now."""
        os.unlink(self.path)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if not self._places:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)
        elif isinstance(error, KeyboardInterrupt):
            error.args = (f"stopped; {self.advice}",)
        with contextlib.suppress(OSError):
            self._file.close()

    def _begin(self, settings: dict[str, Any], resume: bool) -> None:
        self._lock()
        found = self._read()
        if self._places and not resume:
            raise PocketiqaError(
                f"{self.path} holds {len(self)} rows of an earlier run: --resume goes on with them; or delete it to "
                "begin anew"
            )
        if self._places and found != settings:
            raise PocketiqaError(
                f"{self.path} was made with other settings, {json.dumps(found)}, and these are "
                f"{json.dumps(settings)}: give the same, or delete it to begin anew"
            )
        if not self._places:
            self._file.truncate(0)
            self._write({"settings": settings})

    def _read(self) -> dict[str, Any] | None:
        """Find every whole row, cut off what follows the last, and return what they were made with."""
        self._file.seek(0)
        line = self._file.readline()
        first = _parsed(line)
        if not isinstance(first, dict) or list(first) != ["settings"]:
            if line and not b'{"settings": '.startswith(line[:13]):
                raise PocketiqaError(f"{self.path} is no file of rows that a run left; move it, or name another file")
            return None
        end = self._file.tell()
        while (entry := _parsed(line := self._file.readline())) is not None:
            self._note(entry["photo"], (entry["size"], entry["mtime_ns"]), end, entry["row"])
            end += len(line)
        self._file.truncate(end)
        return first["settings"]

    def _unwritable(self, error: OSError) -> OutputError:
        kept = f"; make room: {self.advice}" if self._places else ""
        return OutputError(f"{self.path} cannot be written: {error.strerror}{kept}")

    def _note(self, photo: str, mark: _Mark, place: int, row: Row) -> None:
        self._places[photo] = mark, place
        (self._failed.add if row.get("error") else self._failed.discard)(photo)

    def _write(self, entry: dict[str, Any]) -> int:
        """Append a line and hand it to the operating system; returns where it begins."""
        place = self._file.seek(0, os.SEEK_END)
        self._file.write(json.dumps(entry).encode() + b"\n")
        self._file.flush()
        return place

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # not on Windows
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PocketiqaError(f"another run is writing {self.path}; let it end, or name another file") from None


_Mark = tuple[int | None, int | None]


def _mark_of(photo: str) -> _Mark:
    """Size in bytes and modification time in nanoseconds; None and None for what cannot be asked."""
    try:
        status = os.stat(photo)
    except (OSError, ValueError):
        return None, None
    return status.st_size, status.st_mtime_ns


def _parsed(line: bytes) -> Any:
    """A whole line's value; None for one that was cut, or was never written to the disk."""
    if not line.endswith(b"\n"):
        return None
    try:
        return json.loads(line)
    except ValueError:
        return None
