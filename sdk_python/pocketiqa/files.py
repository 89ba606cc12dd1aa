"""Hashes, confined paths, and outputs that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from pocketiqa.errors import BundleError

_LONGEST_NAME = 240


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_regular_file(path: Path, most: int, complaint: str | None = None) -> bytes:
    """A file's bytes, or the first ``most`` of them where it holds more.

    Raises:
        BundleError: it is missing, no regular file (a device or a FIFO would never end), or cannot be read;
            ``complaint``, else that the path cannot be read, begins the message.
    """
    complaint = complaint or f"{path} cannot be read"
    if not os.path.isfile(path):
        raise BundleError(f"{complaint}: it is missing, or no regular file")
    try:
        with open(path, "rb") as file:
            return file.read(most)
    except OSError as error:
        raise BundleError(f"{complaint}: {error.strerror}") from None


def files_under(root: Path) -> dict[str, Path]:
    """Every regular file below ``root``, by its POSIX path relative to it, sorted. Directories' own names are
    no content: an ``.mlpackage`` is the files inside it."""
    found = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {path.relative_to(root).as_posix(): path for path in found}


def checked_relative(name: object) -> str:
    """``name`` if it is a plain relative POSIX path that any file system can hold.

    Raises:
        BundleError: absolute, empty, with ``..``, a backslash, a drive or a character that cannot be printed,
            or longer than 240 bytes.
    """
    plain = (
        isinstance(name, str)
        and bool(name)
        and len(name) <= _LONGEST_NAME
        and name.isprintable()
        and not set(name) & set('\\:*?"<>|')
        and not name.startswith("/")
        and all(part not in ("", ".", "..") for part in name.split("/"))
        and len(name.encode()) <= _LONGEST_NAME
    )
    if not plain:
        shown = f"{name!r:.100}"
        raise BundleError(f"the path {shown} is not allowed: a bundle names files inside its folder only")
    return str(PurePosixPath(name))


def confined(root: Path, name: str) -> Path:
    """The file or folder ``name`` inside ``root``, links followed.

    Raises:
        BundleError: the path is no plain relative one, or a link leads out of ``root``.
    """
    path = root / checked_relative(name)
    # os.path.realpath and not Path.resolve, which raises RuntimeError for a loop of links.
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
        raise BundleError(f"{name} is a link that leads out of the bundle; put the file itself there")
    return path


@contextlib.contextmanager
def atomic_file(path: Path, mode: str = "w", newline: str | None = None) -> Iterator[IO[Any]]:
    """A file that appears under ``path`` only when the block ends well, replacing an older one, whose mode and owner it
    keeps. Where ``path`` is a link, its target is written.

    Args:
        path: of the file.
        mode: ``w`` for UTF-8 text, ``wb`` for bytes.
        newline: as ``open`` has it, for text.

    Raises:
        OSError: the folder is missing or cannot be written.
    """
    target = Path(os.path.realpath(path))
    if os.path.islink(target):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    descriptor, temporary = tempfile.mkstemp(prefix=_prefix(path), suffix=".partial", dir=target.parent)
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": newline, "errors": "surrogateescape"}
    try:
        with os.fdopen(descriptor, mode, **text) as file:
            yield file
        _take_mode(temporary, target)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


@contextlib.contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """A new folder to fill, which takes the place of ``path`` only when the block ends well.

    An older folder of that name is moved aside first and removed last, so that at no moment a mixture of the
    two stands under ``path``. Where the new one cannot take its place, the older one is moved back. A process
    that is killed between the two moves leaves the older folder as ``.NAME.….partial/old`` beside ``path``.

    Raises:
        OSError: the parent folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=_prefix(path), suffix=".partial", dir=path.parent))
    fresh, old = scratch / "new", scratch / "old"
    try:
        fresh.mkdir()
        yield fresh
        if os.path.lexists(path):
            os.replace(path, old)
        try:
            os.replace(fresh, path)
        except BaseException:
            if os.path.lexists(old):
                os.replace(old, path)
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _prefix(path: Path) -> str:
    """Of a temporary name: short enough that the whole fits where ``path``'s own name does."""
    return f".{path.name[:40]}."


def _take_mode(temporary: str, target: Path) -> None:
    """Mode and owner of the file that is replaced; the usual mode of a new one."""
    try:
        older = os.stat(target)
    except FileNotFoundError:
        os.chmod(temporary, 0o666 & ~_umask())
        return
    if hasattr(os, "chown"):
        with contextlib.suppress(PermissionError):  # only root may give a file away
            os.chown(temporary, older.st_uid, older.st_gid)
    os.chmod(temporary, stat.S_IMODE(older.st_mode))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
