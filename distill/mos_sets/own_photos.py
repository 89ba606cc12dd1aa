"""Your own photos: a folder with ``scores.csv`` in it.

    name,score,source            source and split may be left out
    garden/one.jpg,0.72,phone A
    two.png,0.31,phone B
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from distill.mos_sets.photo_set import MosSet, MosSetError

_TABLE = "scores.csv"


def read_own_photos(folder: str | Path, split: str = "train") -> MosSet:
    """The photos of ``folder`` that its ``scores.csv`` names, in the table's order.

    Columns: ``name`` (path below the folder), ``score`` in [0, 1], higher is better, and optionally ``source``
    (what was taken or collected alike; figures are given within sources) and ``split`` (train, val or test; all
    rows are train without it).

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
    with table.open(newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream, skipinitialspace=True))
    if not rows or not {"name", "score"} <= rows[0].keys():
        raise MosSetError(f"{table} needs a first line with the columns name and score, and a line for every photo")
    paths, mos, sources = [], [], []
    for number, row in enumerate(rows, start=2):
        if (row.get("split") or "train") != split:
            continue
        path = folder / row["name"]
        if not path.is_file():
            raise MosSetError(f"{table}, line {number}: there is no photo {row['name']!r} in {folder}")
        paths.append(path)
        mos.append(_score(table, number, row["score"]))
        sources.append(row.get("source") or "own")
    if not paths:
        raise MosSetError(f"{table} names no photo for the {split} split")
    return MosSet("own", paths, np.array(mos), np.array(sources))


def _score(table: Path, number: int, cell: str | None) -> float:
    try:
        score = float(cell or "")
    except ValueError:
        score = float("nan")
    if not 0 <= score <= 1:
        raise MosSetError(
            f"{table}, line {number}: score is {cell!r}; give a number from 0 (bad) to 1 (excellent). Opinions from 1 "
            "to 5 become (score - 1) / 4"
        )
    return score
