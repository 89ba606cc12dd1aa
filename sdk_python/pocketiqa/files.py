"""Hashes, confined paths, and outputs that appear whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from pocketiqa.errors import BundleError


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_under(root: Path) -> dict[str, Path]:
    """Every regular file below ``root``, by its POSIX path relative to it, sorted. Directories' own names are
    no content: an ``.mlpackage`` is the files inside it."""
    found = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {path.relative_to(root).as_posix(): path for path in found}


def checked_relative(name: object) -> str:
    """``name`` if it is a plain relative POSIX path.

    Raises:
        BundleError: absolute, empty, with ``..``, a backslash, a drive or a character that cannot be printed.
    """
    plain = (
        isinstance(name, str)
        and bool(name)
        and name.isprintable()
        and not set(name) & set('\\:*?"<>|')
        and not name.startswith("/")
        and all(part not in ("", ".", "..") for part in name.split("/"))
    )
    if not plain:
        raise BundleError(f"the path {name!r} is not allowed: a bundle names files inside its folder only")
    return str(PurePosixPath(name))


def confined(root: Path, name: str) -> Path:
    """The file or folder ``name`` inside ``root``, links followed.

    Raises:
        BundleError: the path is no plain relative one, or a link leads out of ``root``.
    """
    path = root / checked_relative(name)
    if not path.resolve().is_relative_to(root.resolve()):
        raise BundleError(f"{name} is a link that leads out of the bundle; put the file itself there")
    return path


@contextlib.contextmanager
def atomic_file(path: Path, newline: str | None = None) -> Iterator[IO[str]]:
    """A UTF-8 text file that appears under ``path`` only when the block ends well, replacing an older one.

    Raises:
        OSError: the folder is missing or cannot be written.
    """
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline=newline, errors="surrogateescape") as file:
            yield file
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


@contextlib.contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """A new folder to fill, which takes the place of ``path`` only when the block ends well.

    An older folder of that name is moved aside first and removed last, so that at no moment a mixture of the
    two stands under ``path``.

    Raises:
        OSError: the parent folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
    try:
        fresh = scratch / "new"
        fresh.mkdir()
        yield fresh
        if path.exists():
            os.replace(path, scratch / "old")
        os.replace(fresh, path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
