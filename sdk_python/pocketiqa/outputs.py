"""Where results go: table, CSV or JSON lines, row by row as they are scored."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from typing import IO

from pocketiqa.errors import one_line
from pocketiqa.scorer import Result

FORMATS = ("table", "csv", "jsonl")


def row_writer(
    file: IO[str], style: str, attributes: tuple[str, ...], longest_path: int
) -> Callable[[Result], None]:
    """A function that writes one result; the header, where the style has one, is written at once.

    Args:
        file: open for text, with ``newline=""`` for CSV.
        style: one of ``FORMATS``.
        attributes: their names, in column order.
        longest_path: characters of the longest path, for the table.
    """
    columns = ["path", "score", *attributes, "error"]
    if style == "csv":
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(columns)
        return lambda result: rows.writerow(_cells(result, attributes))
    if style == "jsonl":
        return lambda result: print(json.dumps(_record(result, attributes)), file=file)

    widths = [max(4, min(longest_path, 60)), *(max(8, len(name)) for name in columns[1:-1]), 0]

    def line(cells: list[str]) -> None:
        first, *rest = cells
        padded = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:]))]
        print("  ".join(padded).rstrip(), file=file)

    line(columns)
    return lambda result: line([cell and one_line(cell) for cell in _cells(result, attributes)])


def _cells(result: Result, attributes: tuple[str, ...]) -> list[str]:
    values = [result.score, *(result.attributes.get(name) for name in attributes)]
    return [
        result.path or "",
        *("" if value is None else f"{value:.6f}" for value in values),
        result.error or "",
    ]


def _record(result: Result, attributes: tuple[str, ...]) -> dict[str, object]:
    return {
        "path": result.path,
        "score": result.score,
        **{name: result.attributes.get(name) for name in attributes},
        "error": result.error,
        "runtime": result.runtime,
    }
