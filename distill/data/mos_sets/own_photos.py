"""Your own photos: a folder, and a CSV of scores.

    name,score,source            source and split may be left out
    garden/one.jpg,0.72,phone A
    two.png,0.31,phone B
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from distill.data.mos_sets.mos_table import read_mos_table
from distill.data.mos_sets.photo_names import find_photo
from distill.data.mos_sets.photo_set import MosSet, MosSetError

_TABLE = "scores.csv"


def read_own_photos(folder: str | Path, split: str = "train") -> MosSet:
    """The photos of ``folder`` that its ``scores.csv`` names, as ``read_scored_photos`` reads them.

    Raises:
        MosSetError: no table, a column or a photo is missing, or a score is not in [0, 1].
    """
    folder = Path(folder)
    table = folder / _TABLE
    if not table.is_file():
        raise MosSetError(
            f"no {_TABLE} in {folder}; write one there with a line 'name,score' and a line for every photo, scores "
            "from 0 (bad) to 1 (excellent)"
        )
    return read_scored_photos(folder, table, split)


def read_scored_photos(
    folder: Path, table: Path, split: str | None = None, scale: tuple[float, float] | None = (0.0, 1.0)
) -> MosSet:
    """The photos of ``folder`` that ``table`` names, in the table's order.

    Columns: ``name`` (path below the folder) and ``score`` or ``mos``, under any of the names that ``mos_table`` knows,
    and optionally ``source`` (what was taken or collected alike; figures are given within sources) and ``split``
    (train, val or test; all rows are train without it).

    Args:
        folder: of the photos.
        table: a CSV, as ``read_mos_table`` takes it.
        split: only its rows; all of them by default.
        scale: the worst and the best score there can be; they become 0 and 1. None: they stay as they are, which is
            enough to rank by.

    Raises:
        MosSetError: no such table, a row that cannot be read right, a photo is missing, or a score is not on the scale.
    """
    if scale is not None and (scale[0] == scale[1] or not np.isfinite(scale).all()):
        raise MosSetError(f"the scale is {scale[0]:g} to {scale[1]:g}; give the worst score and the best, say 1 and 5")
    read = read_mos_table(table)
    chosen = [row for row in read.rows if read.split(row) == split or split is None]
    paths, mos = [], []
    for row in chosen:
        path = find_photo(row.name, [folder])
        if path is None:
            raise read.no_photo(row, folder)
        paths.append(path)
        mos.append(read.score(row, scale))
    if not paths:
        of = "" if split is None else f" for the {split} split"
        raise MosSetError(f"{table} names no photo{of}; write a line for each")
    return MosSet("own", paths, np.array(mos), np.array([row.cell("source") or "own" for row in chosen]))
