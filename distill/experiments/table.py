"""A table of figures: Markdown for ``RESULTS.md``, CSV for whoever computes with it."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

from pocketiqa.files import atomic_file
from tabulate import tabulate


@dataclass(frozen=True)
class Estimate:
    """A figure and half its 95 % interval."""

    value: float
    half: float
    sign: str = ""

    def __str__(self) -> str:
        return f"{self.value:{self.sign}.3f} ± {self.half:.3f}"


Cell = float | Estimate | None


@dataclass
class Table:
    """Rows of figures under named columns; ``str`` is Markdown, with three digits and a note below.

    Attributes:
        what: heading of the rows' names.
        columns: headings of the figures.
        note: n, seed and whatever else made the figures.
        rows: name → one cell a column; None where there is no figure.
    """

    what: str
    columns: list[str]
    note: str
    rows: dict[str, list[Cell]] = field(default_factory=dict)

    def __str__(self) -> str:
        shown = [[name, *map(_shown, cells)] for name, cells in self.rows.items()]
        alignment = ["left"] + ["right"] * len(self.columns)
        table = tabulate(shown, [self.what, *self.columns], tablefmt="pipe", colalign=alignment, disable_numparse=True)
        return f"{table}\n\n{self.note}"

    def write_csv(self, file: Path) -> None:
        """The rows without rounding; an estimate fills two columns, its own and ``… ±``."""
        estimated = [
            any(isinstance(cells[place], Estimate) for cells in self.rows.values())
            for place in range(len(self.columns))
        ]
        heading = [self.what]
        for name, pair in zip(self.columns, estimated):
            heading += [name, f"{name} ±"] if pair else [name]
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(file, newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(heading)
            for name, cells in self.rows.items():
                row: list[object] = [name]
                for cell, pair in zip(cells, estimated):
                    value, half = (cell.value, cell.half) if isinstance(cell, Estimate) else (cell, None)
                    row += [value, half] if pair else [value]
                writer.writerow(["" if one is None else one for one in row])


def _shown(cell: Cell) -> str:
    if cell is None:
        return "–"
    return str(cell) if isinstance(cell, Estimate) else f"{cell:.3f}"
