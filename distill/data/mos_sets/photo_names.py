"""Which file a name in a table means: names as Windows, macOS and Linux spell them."""

from __future__ import annotations

import os
import posixpath
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path


def find_photo(name: str, folders: Sequence[Path]) -> Path | None:
    """The file ``name`` below the first of ``folders`` that has it; None where none has."""
    names = (name, name.replace("\\", "/"))
    # macOS writes an accent as a letter of its own.
    accents = [unicodedata.normalize(form, one) for one in names for form in ("NFC", "NFD")]
    spellings = dict.fromkeys([*names, *accents])
    candidates = (folder / one for folder in folders for one in spellings)
    # os.path's, which takes a name that no file can have.
    return next((path for path in candidates if os.path.isfile(path)), None)


def spelling(name: str) -> str:
    """One for all ways to write a path."""
    return posixpath.normpath(unicodedata.normalize("NFC", name.replace("\\", "/")))


def endings(path: Path) -> Iterator[str]:
    """The names that a table may give a photo, as ``spelling`` writes them: its path from any folder above it."""
    whole = spelling(path.as_posix())
    yield whole
    parts = whole.split("/")
    yield from ("/".join(parts[start:]) for start in range(1, len(parts)))
