"""Where rows go: a table, CSV, JSON lines or Parquet. A row is a dictionary of JSON-ready values, one a photo.

``columns_of`` and ``row_of`` are the one list of what a row of ``score`` holds; another command adds to both.
A path that is no UTF-8 is written escaped (``caf\\xe9.jpg``), and its bytes stand beside it in ``path_bytes``, base64.
"""

from __future__ import annotations

import base64
import csv
import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

from pocketiqa.errors import one_line
from pocketiqa.scorer import Result

FORMATS = ("table", "csv", "jsonl", "parquet")
Row = dict[str, Any]
_BESIDE = {"width": int, "height": int, "warning": str}


def columns_of(attributes: Sequence[str]) -> dict[str, type]:
    """Columns of a table, CSV and Parquet in order, and what is in them where it is not None. JSON lines hold all that
    ``row_of`` gives. The table has no room for a size, and shows a warning in its column ``error``."""
    return {"path": str, "score": float, **dict.fromkeys(attributes, float), "error": str, **_BESIDE}


def row_of(result: Result, attributes: Sequence[str]) -> Row:
    """A result as a row: what ``columns_of`` names, and the runtime."""
    return {
        "path": result.path,
        "score": result.score,
        **{name: result.attributes.get(name) for name in attributes},
        "error": result.error,
        **{name: getattr(result, name) for name in _BESIDE},
        "runtime": result.runtime,
    }


def row_writer(
    file: IO[str], style: str, columns: Mapping[str, type], paths: Sequence[str]
) -> Callable[[Row], None]:
    """A function that writes one row; the header, where the style has one, is written at once.

    Args:
        file: open for text, with ``newline=""`` for CSV.
        style: ``table``, ``csv`` or ``jsonl``; ``parquet`` is no text, and ``pocketiqa.parquet`` writes it.
        columns: of the table and CSV, ``path`` first. CSV gets ``path_bytes`` last where one of ``paths`` needs it.
        paths: of all rows to come, for the table's width.
    """
    if style == "jsonl":
        return lambda row: print(json.dumps(printable_path(row)), file=file)
    if style == "csv":
        names = [*columns, "path_bytes"] if any(map(escaped_path, paths)) else list(columns)
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(names)
        return lambda row: rows.writerow(_cells(printable_path(row), names))

    names = [name for name in columns if name not in _BESIDE]
    widths = [max(4, min(max(map(len, paths)), 60)), *(max(8, len(name)) for name in names[1:-1]), 0]

    def line(cells: list[str]) -> None:
        first, *rest = cells
        padded = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:]))]
        print("  ".join(padded).rstrip(), file=file)

    line(names)
    return lambda row: line([cell and one_line(cell) for cell in _cells(_with_warning(row), names)])


def _with_warning(row: Row) -> Row:
    return {**row, "error": f"warning: {row['warning']}"} if row.get("warning") and not row.get("error") else row


def printable_path(row: Row) -> Row:
    """The row, with its path escaped and ``path_bytes`` beside it where the path is no UTF-8."""
    path = row.get("path") or ""
    escaped = escaped_path(path)
    if escaped is None:
        return row
    encoded = base64.b64encode(os.fsencode(path)).decode()
    return {"path": escaped, "path_bytes": encoded, **{name: row[name] for name in row if name != "path"}}


def escaped_path(path: str) -> str | None:
    """The path with its wrong bytes as ``\\xe9``, or None where it has none."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path).decode(errors="backslashreplace")
    return None


def _cells(row: Row, names: Sequence[str]) -> list[str]:
    return [_cell(row.get(name)) for name in names]


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(map(str, value))
    return "" if value is None else f"{value:.6f}" if isinstance(value, float) else str(value)
