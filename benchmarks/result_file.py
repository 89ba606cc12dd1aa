"""JSON files of results: written whole or not at all, and read into typed classes that refuse anything else."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from pocketiqa.errors import PocketiqaError
from pocketiqa.files import atomic_file

Count = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Amount = Annotated[float, msgspec.Meta(ge=0)]
Milliseconds = Annotated[float, msgspec.Meta(gt=0)]


class RecordError(PocketiqaError):
    """A file that is no result file which this version reads; the message says what it is instead."""


class Strict(msgspec.Struct, forbid_unknown_fields=True):
    """A class of a result file: what is unknown or of another type is refused when it is read."""


class _Head(msgspec.Struct):
    schema: str = ""
    schema_version: int = 0


Record = TypeVar("Record", bound=Strict)


def write_record(record: Strict, path: Path) -> None:
    """Write a result file as JSON, whole or not at all; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")


def read_record(kind: type[Record], path: Path) -> Record:
    """Read a result file of ``kind``, whose defaults of ``schema`` and ``schema_version`` the file must have.

    Raises:
        RecordError: it cannot be read, is none or of another version, or has a key or value that ``kind`` has not.
    """
    defaults = {field.name: field.default for field in msgspec.structs.fields(kind)}
    try:
        content = path.read_bytes()
        head = msgspec.json.decode(content, type=_Head)
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}") from None
    except msgspec.ValidationError:
        head = _Head()
    except (msgspec.DecodeError, RecursionError) as error:
        raise RecordError(f"{path}: not a JSON file: {error}") from None
    if head.schema != defaults["schema"]:
        raise RecordError(f"{path}: not a {defaults['schema']} file; `python -m benchmarks` writes one with --json")
    if head.schema_version != defaults["schema_version"]:
        raise RecordError(
            f"{path}: format version {head.schema_version}; this checkout reads {defaults['schema_version']}: "
            "measure anew"
        )
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RecordError(f"{path}: damaged: {error}") from None
