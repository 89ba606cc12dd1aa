"""Files that appear whole and only where none is: what lies there already is never overwritten."""

from __future__ import annotations

import contextlib
import filecmp
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


def write_new(path: Path, content: str) -> None:
    """Write a text file, whole or not at all.

    Raises:
        FileExistsError: there is something under this name.
        OSError: the folder cannot be written.
    """
    with _partial(path) as partial:
        partial.write_text(content, encoding="utf-8")
        _put_in_place(partial, path)


def copy_new(file: Path, folder: Path) -> Path | None:
    """Copy a file into a folder with its modification time; where another file has its name, as ``NAME-2`` and so on.

    Returns:
        The copy; None where the folder has the same file already.

    Raises:
        OSError: the file cannot be read, or the folder not written.
    """
    number = 1
    while True:
        path = folder / (file.name if number == 1 else f"{file.stem}-{number}{file.suffix}")
        if os.path.lexists(path):
            if path.is_file() and filecmp.cmp(file, path, shallow=False):
                return None
            number += 1
            continue
        with _partial(path) as partial, contextlib.suppress(FileExistsError):
            shutil.copy2(file, partial)
            _put_in_place(partial, path)
            return path


@contextlib.contextmanager
def _partial(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path``, gone afterwards."""
    partial = path.with_name(f".{path.name[:40]}.{os.getpid()}.partial")
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def _put_in_place(partial: Path, path: Path) -> None:
    """Give the file its name, unless something has it."""
    try:
        os.link(partial, path)  # the one way that is refused where the name is taken
    except FileExistsError:
        raise
    except OSError:  # a file system without links, as cameras' cards are
        if os.path.lexists(path):
            raise FileExistsError(f"{path} exists") from None
        os.rename(partial, path)
