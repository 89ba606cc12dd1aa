"""Photos that people accept or refuse: two lots of folders, or a table."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence

from pocketiqa.errors import PocketiqaError
from pocketiqa.photo_list import find_photos

LABELS = {"accepted": True, "refused": False}


def photos_in_folders(accepted: Sequence[str], refused: Sequence[str]) -> dict[str, bool]:
    """Photos by their paths, True for accepted ones; folders with what lies below them.

    Raises:
        PocketiqaError: no photos, or one photo on both sides.
    """
    labelled: dict[str, bool] = {}
    for paths, label in ((accepted, True), (refused, False)):
        photos, _ = find_photos(list(paths), recursive=True)
        if not photos:
            raise PocketiqaError(f"{', '.join(paths)}: no photos there; name folders that hold some")
        for photo in photos:
            _add(labelled, photo, label)
    return labelled


def read_labels(table: str) -> dict[str, bool]:
    """Photos by their paths, True for accepted ones.

    Args:
        table: a CSV with the columns ``path``, relative to the table's folder, and ``label``, which is ``accepted`` or
            ``refused``; other columns may be there.

    Raises:
        PocketiqaError: no such table, a column is missing, another label, or a photo with both labels.
    """
    labelled: dict[str, bool] = {}
    try:
        with open(table, newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            rows = csv.DictReader(file)
            if not {"path", "label"} <= set(rows.fieldnames or ()):
                raise PocketiqaError(f"{table} needs a first line with the columns path and label")
            for row in rows:
                if not row["path"] or row["label"] not in LABELS:
                    raise PocketiqaError(
                        f"{table}, line {rows.line_num}: found {row['path']!r} with the label {row['label']!r}; "
                        "each line needs a path, and accepted or refused"
                    )
                _add(labelled, os.path.join(os.path.dirname(table), row["path"]), LABELS[row["label"]])
    except (OSError, csv.Error) as error:
        raise PocketiqaError(f"{table} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not labelled:
        raise PocketiqaError(f"{table} names no photos")
    return labelled


def _add(labelled: dict[str, bool], photo: str, label: bool) -> None:
    if labelled.setdefault(photo, label) != label:
        raise PocketiqaError(f"{photo} is both accepted and refused; give each photo one label")
