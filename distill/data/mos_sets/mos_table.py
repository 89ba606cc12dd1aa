"""The one reader of tables of scores: what Excel makes of ``name,score``, read right or refused in one line.

A heading names the columns, in any case and with any spaces or underscores; a table without one has two columns,
name and score. ``Image Name;MOS`` with decimal commas is as good as ``name,score``.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from distill.data.mos_sets.csv_rows import CsvRow, read_csv
from distill.data.mos_sets.photo_names import endings, spelling
from distill.data.mos_sets.photo_set import MosSetError

NAMES = ("name", "img_name", "image_name", "dist_name", "file_name", "file", "path", "image")
SCORES = ("score", "mos", "dmos", "quality_mos", "mos_quality")
_SPLITS = {"train": "train", "training": "train", "val": "val", "validation": "val", "test": "test", "testing": "test"}
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class MosRow:
    """One photo's row.

    Attributes:
        line: of the file, from 1.
        name: of the photo, as it is written.
        score: its cell; ``MosTable.score`` reads it.
        cells: all of them, by column as ``plain`` writes it.
    """

    line: int
    name: str
    score: str
    cells: dict[str, str]

    def cell(self, column: str) -> str:
        """Of a column; empty where the table has none of that name."""
        return self.cells.get(plain(column), "")


@dataclass(frozen=True)
class MosTable:
    """A table that names every photo once.

    Attributes:
        file: where it was read.
        columns: of its heading, as ``plain`` writes them.
        scored: the one with the scores.
        rows: in its order.
        guessed: nothing told the encoding, so that letters in names may be others.
    """

    file: Path
    columns: list[str]
    scored: str
    rows: list[MosRow]
    guessed: bool

    def score(self, row: MosRow, scale: tuple[float, float] | None = None, beyond: float = 0.0) -> float:
        """A row's score: on ``scale`` from the worst to the best it becomes 0 to 1, without one it stays as it is.

        Args:
            row: of this table.
            scale: the worst and the best score there can be.
            beyond: the share of the scale by which a score may be outside; it is moved to the scale's end.

        Raises:
            MosSetError: it is no number, or not on the scale.
        """
        value = _number(row.score)
        if value is None:
            found = f"is {row.score!r}" if row.score else "is missing"
            raise MosSetError(f"{self.at(row)}: {self.scored} of {row.name!r} {found}; give a number")
        if scale is None:
            return value
        low, high = scale
        score = (value - low) / (high - low)
        if not -beyond <= score <= 1 + beyond:
            cure = ". Opinions from 1 to 5 become (score - 1) / 4" if scale == (0, 1) else ""
            raise MosSetError(
                f"{self.at(row)}: {self.scored} is {row.score!r}; give a number from {low:g} (bad) to {high:g} "
                f"(excellent){cure}"
            )
        return min(max(score, 0.0), 1.0) if beyond else score

    def split(self, row: MosRow) -> str:
        """``train``, ``val`` or ``test`` of the column split; train where the row says nothing.

        Raises:
            MosSetError: it says something else.
        """
        found = split_of(row.cell("split") or "train")
        if found is None:
            raise MosSetError(f"{self.at(row)}: split is {row.cell('split')!r}; give train, val or test")
        return found

    def rows_of(self, paths: Iterable[Path]) -> dict[Path, MosRow]:
        """The row of each photo that has one: a name is the photo's path from any folder above it.

        Raises:
            MosSetError: one name stands for two photos.
        """
        rows = {spelling(row.name): row for row in self.rows}
        found: dict[Path, MosRow] = {}
        photo_of: dict[int, Path] = {}
        for path in paths:
            row = next((rows[end] for end in endings(path) if end in rows), None)
            if row is None:
                continue
            if (other := photo_of.setdefault(row.line, path)) != path:
                raise MosSetError(
                    f"{self.at(row)}: {row.name!r} stands for {other} and for {path}; write paths that tell them apart"
                )
            found[path] = row
        return found

    def no_photo(self, row: MosRow, folder: Path) -> MosSetError:
        """The error that a row's photo is not there."""
        is_doubtful = self.guessed and not row.name.isascii()
        cure = "the table is no UTF-8, save it as CSV UTF-8" if is_doubtful else "mend the name, or take the line away"
        return MosSetError(f"{self.at(row)}: there is no photo {row.name!r} in {folder}; {cure}")

    def at(self, row: MosRow) -> str:
        """Where a row stands, for a message."""
        return f"{self.file}, line {row.line}"


def split_of(cell: str) -> str | None:
    """``train``, ``val`` or ``test``, however a cell writes it; None for another word."""
    return _SPLITS.get(cell.casefold())


def plain(column: str) -> str:
    """A column's name without what spelling adds: ``Image Name`` and ``image_name`` are one."""
    return re.sub(r"[\s_-]", "", column.casefold())


def read_mos_table(file: Path) -> MosTable:
    """Read a CSV of names and scores; a row that repeats another one counts once.

    Raises:
        MosSetError: no such file, no columns of names and scores or two of one kind, a row without a name or with more
            cells than the heading, a photo with two scores, decimal points beside decimal commas; the message names
            the file, the line and what to do.
    """
    read = read_csv(file, lambda cells: _named(_columns(cells)) or _without_heading(cells))
    first = read.rows[0].cells if read.rows else []
    columns, body = _columns(first), read.rows[1:]
    if not _named(columns):
        if not _without_heading(first):
            raise MosSetError(
                f"{file} needs a first line with the columns name and score (or mos), and a line for every photo, such "
                f"as photo.jpg,0.61; it has {', '.join(first)[:200] or 'no rows'}"
            )
        columns, body = ["name", "score"], read.rows
    by_name, by_score = (_only(file, columns, known) for known in (NAMES, SCORES))
    for column, count in Counter(columns).items():
        if count > 1 and column in (by_name, by_score, "split", "source"):
            raise MosSetError(f"{file}, line {read.rows[0].line}: {count} columns are called {column!r}; keep one")
    rows = [_row(file, row, columns, by_name, by_score) for row in body]
    _check_decimals(file, rows)
    return MosTable(file, columns, by_score, _once(file, rows), read.guessed)


def _columns(heading: list[str]) -> list[str]:
    """Plain names, without what spreadsheets leave empty at the end."""
    columns = [plain(cell) for cell in heading]
    while columns and not columns[-1]:
        columns.pop()
    return columns


def _named(columns: list[str]) -> bool:
    return all({plain(name) for name in known} & set(columns) for known in (NAMES, SCORES))


def _without_heading(first: list[str]) -> bool:
    """A photo's name and its score, and nothing that might be the part of a number behind its comma."""
    return len(first) == 2 and _number(first[1]) is not None


def _only(file: Path, columns: list[str], known: tuple[str, ...]) -> str:
    found = list(dict.fromkeys(column for column in columns if column in {plain(name) for name in known}))
    if len(found) > 1:
        raise MosSetError(f"{file} has the columns {' and '.join(found)} for one thing; keep one of them")
    return found[0]


def _row(file: Path, row: CsvRow, columns: list[str], by_name: str, by_score: str) -> MosRow:
    if any(row.cells[len(columns) :]):
        raise MosSetError(
            f"{file}, line {row.line}: {len(row.cells)} cells under {len(columns)} columns; put a name or a number "
            "that holds a comma in quotation marks"
        )
    cells = dict(zip(columns, [*row.cells, *[""] * len(columns)]))
    if not cells[by_name]:
        raise MosSetError(f"{file}, line {row.line}: no name of a photo; give one, or take the line away")
    return MosRow(row.line, cells[by_name], cells[by_score], cells)


def _once(file: Path, rows: list[MosRow]) -> list[MosRow]:
    """The rows without those that say again what an earlier one said."""
    first: dict[str, MosRow] = {}
    for row in rows:
        known = first.setdefault(spelling(row.name), row)
        for what in ("score", "split", "source"):
            before, now = (one.score if what == "score" else one.cell(what) for one in (known, row))
            if before != now and (_number(before) is None or _number(before) != _number(now)):
                raise MosSetError(
                    f"{file}, line {row.line}: {row.name!r} has the {what} {now!r}, and {before!r} in line "
                    f"{known.line}; keep one of the two lines"
                )
    return list(first.values())


def _check_decimals(file: Path, rows: list[MosRow]) -> None:
    numbers = [row for row in rows if _number(row.score) is not None]
    point, comma = (next((row for row in numbers if mark in row.score), None) for mark in ".,")
    if point and comma:
        raise MosSetError(
            f"{file}, line {comma.line}: {comma.score!r} has a decimal comma, and {point.score!r} in line {point.line} "
            "a decimal point; write all numbers alike, without separators of thousands"
        )


def _number(cell: str) -> float | None:
    if not _NUMBER.fullmatch(cell):
        return None
    value = float(cell.replace(",", "."))
    return value if math.isfinite(value) else None
