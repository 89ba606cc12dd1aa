"""Your own photos: a folder, and a CSV of scores.

    name,score,source            source and split may be left out
    garden/one.jpg,0.72,phone A
    two.png,0.31,phone B
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from distill.data.mos_sets.photo_set import MosSet, MosSetError

_TABLE = "scores.csv"
# The second name of each is the one in pyiqa's ``meta_info`` tables.
_NAME_COLUMNS = ("name", "img_name")
_SCORE_COLUMNS = ("score", "mos")


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
    folder: Path, table: Path, split: str | None = None, scale: tuple[float, float] = (0.0, 1.0)
) -> MosSet:
    """The photos of ``folder`` that ``table`` names, in the table's order.

    Columns: ``name`` or ``img_name`` (path below the folder), ``score`` or ``mos``, and optionally ``source`` (what
    was taken or collected alike; figures are given within sources) and ``split`` (train, val or test; all rows are
    train without it).

    Args:
        folder: of the photos.
        table: a CSV with a first line of column names.
        split: only its rows; all of them by default.
        scale: the worst and the best score there can be; they become 0 and 1.

    Raises:
        MosSetError: no such table, a column or a photo is missing, or a score is not on the scale.
    """
    if scale[0] == scale[1]:
        raise MosSetError(f"the scale is {scale[0]:g} to {scale[1]:g}; give the worst score and the best, say 1 and 5")
    if not table.is_file():
        raise MosSetError(f"there is no table of scores {table}; give a CSV with the columns name and score")
    with table.open(newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream, skipinitialspace=True))
    by_name, by_score = (
        next((name for name in names if rows and name in rows[0]), None) for names in (_NAME_COLUMNS, _SCORE_COLUMNS)
    )
    if by_name is None or by_score is None:
        raise MosSetError(
            f"{table} needs a first line with the columns name and score (or mos), and a line for every photo"
        )
    paths, mos, sources = [], [], []
    for number, row in enumerate(rows, start=2):
        if split is not None and (row.get("split") or "train") != split:
            continue
        path = folder / row[by_name]
        if not path.is_file():
            raise MosSetError(f"{table}, line {number}: there is no photo {row[by_name]!r} in {folder}")
        paths.append(path)
        mos.append(_score(table, number, row[by_score], scale))
        sources.append(row.get("source") or "own")
    if not paths:
        raise MosSetError(f"{table} names no photo for the {split} split")
    return MosSet("own", paths, np.array(mos), np.array(sources))


def _score(table: Path, number: int, cell: str | None, scale: tuple[float, float]) -> float:
    try:
        score = (float(cell or "") - scale[0]) / (scale[1] - scale[0])
    except ValueError:
        score = float("nan")
    if not 0 <= score <= 1:
        raise MosSetError(
            f"{table}, line {number}: score is {cell!r}; give a number from {scale[0]:g} (bad) to {scale[1]:g} "
            "(excellent). Opinions from 1 to 5 become (score - 1) / 4"
        )
    return score
