"""How an int8 network stands to its float original, and a table of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from pocketiqa.parity import clear_flips, srcc
from pocketiqa.promises import Promise
from tabulate import tabulate

from distill.data.intervals import srcc_interval


@dataclass(frozen=True)
class Figures:
    """Measured on n photos; scores are in [0, 1].

    Attributes:
        srcc: rank correlation with the float network's scores.
        mean_abs, max_abs, bias: mean and largest |difference|, and mean difference, int8 − float.
        flips: share of the pairs that float clearly orders which int8 orders the other way.
        unique: share of different int8 scores.
        mos_srcc, mos_interval, mos_drop: rank correlation with opinions, its 95 % bootstrap interval, and how much
            less it is than the float network's; None without opinions.
    """

    n: int
    srcc: float
    mean_abs: float
    max_abs: float
    bias: float
    flips: float
    unique: float
    mos_srcc: float | None = None
    mos_interval: tuple[float, float] | None = None
    mos_drop: float | None = None

    def broken(self, promise: Promise) -> list[str]:
        """A line for each bound of ``promise`` that does not hold."""
        return promise.broken(self.n, asdict(self))

    def to_dict(self) -> dict[str, object]:
        """JSON-ready, without what is None or, as a rank correlation with scores that are all one, not defined."""
        rounded = {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(self).items()}
        return {name: value for name, value in rounded.items() if value is not None and value == value}


def measure(reference: np.ndarray, candidate: np.ndarray, mos: np.ndarray | None = None) -> Figures:
    """Figures of ``candidate`` against ``reference``, n scores each.

    Args:
        mos: opinions of the first photos, at most n; further photos have none.
    """
    gap = candidate - reference
    opinions: dict[str, object] = {}
    if mos is not None:
        ours, theirs = candidate[: len(mos)], reference[: len(mos)]
        opinions = {
            "mos_srcc": srcc(ours, mos),
            "mos_interval": tuple(round(end, 4) for end in srcc_interval(ours, mos)),
            "mos_drop": srcc(theirs, mos) - srcc(ours, mos),
        }
    return Figures(
        n=len(gap),
        srcc=srcc(reference, candidate),
        mean_abs=float(np.abs(gap).mean()),
        max_abs=float(np.abs(gap).max()),
        bias=float(gap.mean()),
        flips=clear_flips(reference, candidate),
        unique=len(np.unique(candidate)) / len(candidate),
        **opinions,
    )


def table(rows: dict[str, Figures], further: dict[str, list[str]] | None = None) -> str:
    """A Markdown table, a row a network.

    Args:
        further: titles of further columns, and their cells in the rows' order.
    """
    further = further or {}
    titles = ["", "n", "SRCC to float", "mean \\|Δ\\|", "max \\|Δ\\|", "bias", "clear flips", "SRCC to MOS", *further]
    lines = [
        [name, str(figures.n), f"{figures.srcc:.4f}", f"{figures.mean_abs:.4f}", f"{figures.max_abs:.4f}"]
        + [f"{figures.bias:+.4f}", f"{figures.flips:.3%}", _opinions(figures)]
        + [column[number] for column in further.values()]
        for number, (name, figures) in enumerate(rows.items())
    ]
    return markdown_table(titles, lines)


def markdown_table(titles: list[str], rows: list[list[str]]) -> str:
    """Cells as they are, the first column to the left and the others to the right."""
    align = ["left"] + ["right"] * (len(titles) - 1)
    return tabulate(rows, headers=titles, tablefmt="pipe", colalign=align, disable_numparse=True)


def _opinions(figures: Figures) -> str:
    if figures.mos_srcc is None:
        return ""
    low, high = figures.mos_interval
    return f"{figures.mos_srcc:.4f} [{low:.3f}, {high:.3f}], drop {figures.mos_drop:+.4f}"
