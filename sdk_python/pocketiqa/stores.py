"""Photos and rows in a folder, or in an object store that pyarrow reads: ``s3://``, ``gs://``, ``abfss://``, ``hdfs://``.

What a store needs to be told may stand in the address: ``s3://bucket/photos?region=eu-central-1&endpoint_override=…``.
Others come through fsspec: ``fsspec+PROTOCOL://…``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pocketiqa.errors import PhotoError, PocketiqaError, one_line
from pocketiqa.limits import PhotoLimits
from pocketiqa.photo_list import SUFFIXES, find_photos

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem


def place_of(address: str | os.PathLike[str]) -> tuple[FileSystem, str]:
    """Where an address leads: a filesystem, and the path in it, absolute for a local one.

    Raises:
        PocketiqaError: no such kind of store, or one that cannot be reached.
    """
    from pyarrow.fs import FileSystem, LocalFileSystem

    address = os.fspath(address)
    if "://" not in address:
        return LocalFileSystem(), os.path.abspath(address)
    try:
        return FileSystem.from_uri(address)
    except (OSError, ValueError, ImportError) as error:
        raise PocketiqaError(f"{address} names no folder or store that can be reached: {one_line(error)}") from None


def photos_in(addresses: Iterable[str | os.PathLike[str]]) -> tuple[FileSystem, list[str]]:
    """The photos that addresses stand for, folders with all that is below them, and the filesystem they are in.

    Raises:
        PocketiqaError: there is none, or they are in several stores.
    """
    places = [place_of(address) for address in addresses]
    filesystem = places[0][0] if places else None
    if any(other != filesystem for other, _ in places):
        raise PocketiqaError("these photos are in several stores; call once for each")
    if is_local(filesystem):
        photos, _ = find_photos([path for _, path in places], recursive=True)
    else:
        photos = [photo for _, path in places for photo in _below(filesystem, path)]
    if not photos:
        raise PocketiqaError("no photos there; name photos, or folders that hold some")
    return filesystem, photos


def read_photo_file(filesystem: FileSystem, path: str, limits: PhotoLimits) -> bytes:
    """A photo's bytes, at most one more than ``limits`` allow.

    Raises:
        PhotoError: it cannot be read.
    """
    try:
        with filesystem.open_input_stream(path) as file:
            return file.read(limits.max_bytes + 1)
    except OSError as error:
        raise PhotoError(f"cannot be read: {one_line(error)}") from None


def is_local(filesystem: FileSystem) -> bool:
    """Whether its paths are those of the operating system."""
    from pyarrow.fs import LocalFileSystem

    return isinstance(filesystem, LocalFileSystem)


def _below(filesystem: FileSystem, path: str) -> list[str]:
    """As ``find_photos`` lists a local folder; a path that leads nowhere stays, so that scoring it says why."""
    from pyarrow.fs import FileSelector, FileType

    try:
        if filesystem.get_file_info(path).type != FileType.Directory:
            return [path]
        entries = filesystem.get_file_info(FileSelector(path, recursive=True))
    except OSError as error:
        raise PocketiqaError(f"{path} cannot be listed: {one_line(error)}") from None
    files = sorted(entry.path for entry in entries if entry.type == FileType.File)
    return [file for file in files if _may_be_photo(file.removeprefix(path))]


def _may_be_photo(path: str) -> bool:
    hidden = any(part.startswith(".") for part in path.split("/"))
    return not hidden and os.path.splitext(path)[1].lower() in SUFFIXES
