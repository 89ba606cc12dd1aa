"""The zip form of a bundle, one file ``NAME.pocketiqa``, read in place.

No member is ever extracted under the name that the archive gives it: a member's bytes go to memory, never more
of them than were asked for. What a plain bundle does not need is refused before any member is read: zip64,
comments, encryption, two members of one name, compression other than deflate, a huge table of contents.
"""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pocketiqa.errors import BundleError, one_line

_MAX_ARCHIVE = 1024**3
_MAX_CONTENTS = 4 * 1024**2
_END = struct.Struct("<4s4H2LH")  # the record that ends a zip file without a comment
_ZIP64_LOCATOR, _ZIP64_LOCATOR_BYTES = b"PK\x06\x07", 20
_ENCRYPTED = 0x1


def is_archive(path: Path) -> bool:
    """Whether a regular file begins as a zip file does."""
    if not os.path.isfile(path):
        return False
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError:
        return False


def member_names(path: Path) -> frozenset[str]:
    """Names of the archive's members; raises BundleError for an archive that is damaged or not plain."""
    with _opened(path) as archive:
        return frozenset(archive.namelist())


def read_member(path: Path, name: str, most: int) -> bytes:
    """A member's bytes, or the first ``most`` of them where it holds more.

    Raises:
        BundleError: no such member, or an archive that is damaged or not plain.
    """
    with _opened(path) as archive:
        if name not in archive.NameToInfo:
            raise BundleError(f"{name} is missing from {path}")
        with archive.open(name) as member:
            return member.read(most)


def write_archive(file: IO[bytes], members: Iterator[tuple[str, bytes]]) -> None:
    """Write members in order. The same members give the same bytes: no times, no owners."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members:
            entry = zipfile.ZipInfo(name)  # dated 1980
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with open(path, "rb") as file:
            _check_end(file, path)
            with zipfile.ZipFile(file) as archive:
                _check_members(archive, path)
                yield archive
    except BundleError:
        raise
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror or one_line(error)}") from None
    except Exception as error:  # zipfile and zlib raise nearly anything on damaged archives
        raise BundleError(f"{path} is a damaged archive: {one_line(error)}") from None


def _check_end(file: IO[bytes], path: Path) -> None:
    """Check sizes before ``zipfile`` reads the table of contents, which it does whole and at once."""
    size = os.fstat(file.fileno()).st_size
    if size > _MAX_ARCHIVE:
        raise BundleError(f"{path} has {size} bytes, over the limit of {_MAX_ARCHIVE}")
    file.seek(max(0, size - _END.size - _ZIP64_LOCATOR_BYTES))
    tail = file.read()
    if len(tail) < _END.size or tail[-_END.size :][:4] != b"PK\x05\x06":
        raise BundleError(f"{path} does not end as a zip file without a comment does; pack the bundle anew")
    contents = _END.unpack(tail[-_END.size :])[5]
    if tail.startswith(_ZIP64_LOCATOR) or contents > _MAX_CONTENTS:
        raise BundleError(f"{path} is a zip64 archive or lists too many files; pack the bundle anew")


def _check_members(archive: zipfile.ZipFile, path: Path) -> None:
    members = archive.infolist()
    if len(archive.NameToInfo) != len(members):
        raise BundleError(f"{path} holds two files of one name; do not use it")
    for member in members:
        plain = member.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        if member.flag_bits & _ENCRYPTED or not plain:
            raise BundleError(
                f"{path} holds a file that is encrypted or compressed otherwise than by deflate; pack the bundle anew"
            )
