"""Which photo a table means: names as Windows, macOS and Linux spell them, from any folder above the photo."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from distill.data.mos_sets.mos_table import MosRow, MosTable, spelling
from distill.data.mos_sets.photo_set import MosSetError


def find_photo(row: MosRow, folders: Sequence[Path]) -> Path | None:
    """The file that a row names below the first of ``folders`` that has it; None where none has."""
    names = (row.name, row.name.replace("\\", "/"))
    # macOS writes an accent as a letter of its own.
    spellings = dict.fromkeys(
        [*names, *(unicodedata.normalize(form, name) for name in names for form in ("NFC", "NFD"))]
    )
    candidates = (folder / name for folder in folders for name in spellings)
    return next((path for path in candidates if os.path.isfile(path)), None)


def no_photo(table: MosTable, row: MosRow, folder: Path) -> MosSetError:
    """The error that a row's photo is not there."""
    is_doubtful = table.guessed and not row.name.isascii()
    cure = "the table is no UTF-8, save it as CSV UTF-8" if is_doubtful else "mend the name, or take the line away"
    return MosSetError(f"{table.at(row)}: there is no photo {row.name!r} in {folder}; {cure}")


def rows_of(table: MosTable, paths: Iterable[Path]) -> dict[Path, MosRow]:
    """The row of each photo that has one: a name is the photo's path from any folder above it.

    Raises:
        MosSetError: one name stands for two photos.
    """
    rows = {spelling(row.name): row for row in table.rows}
    found: dict[Path, MosRow] = {}
    photo_of: dict[int, Path] = {}
    for path in paths:
        whole = spelling(path.as_posix())
        parts = whole.split("/")
        row = next((rows[end] for end in (whole, *_endings(parts)) if end in rows), None)
        if row is None:
            continue
        if (other := photo_of.setdefault(row.line, path)) != path:
            raise MosSetError(
                f"{table.at(row)}: {row.name!r} stands for {other} and for {path}; write paths that tell them apart"
            )
        found[path] = row
    return found


def _endings(parts: list[str]) -> Iterable[str]:
    return ("/".join(parts[start:]) for start in range(1, len(parts)))
