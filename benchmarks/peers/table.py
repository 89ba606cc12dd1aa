"""The peers' figures as Markdown tables and as a plot."""

from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from tabulate import tabulate

from benchmarks.peers.catalogue import OTHER, STUDENT
from benchmarks.peers.record import PeerFigures

_TITLES = {STUDENT: "The same student", OTHER: "Other networks"}
_PLACES = ["", "", "", "", ".0f", ".2f", ".1f", ".2f", ""]


def tables(figures: list[PeerFigures]) -> str:
    """Two Markdown tables: the student's runtimes with their scores, the other networks with published SRCC."""
    parts = []
    for group, title in _TITLES.items():
        last = "score" if group == STUDENT else "SRCC"
        heads = [title, "p50 ms", "× ours", "n", "peak MiB", "file MB", "M params", "G MACs", last]
        if rows := [_cells(one) for one in figures if one.group == group]:
            aligned = ("left", *["right"] * 8)
            # Names, intervals and rounded figures are text, whatever they look like.
            parts.append(tabulate(rows, heads, "pipe", _PLACES, missingval="", disable_numparse=[0, 1, 2, 8],
                                  colalign=aligned))  # fmt: skip
    return "\n\n".join(parts)


def plot(figures: list[PeerFigures], path: Path) -> None:
    """Published accuracy against measured latency ratio, as SVG or PNG by the path's ending; the same bytes each time.

    Raises:
        OSError: the folder is missing or cannot be written.
    """
    with matplotlib.rc_context({"svg.hashsalt": "peers", "svg.fonttype": "none"}):
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axes = figure.subplots()
        for one in figures:
            if one.srcc is not None and one.ratio is not None:
                spread = [[one.ratio - one.ratio_low], [one.ratio_high - one.ratio]]
                axes.errorbar(one.ratio, one.srcc, xerr=spread, fmt="o", color="#2a6f97", capsize=2)
                axes.annotate(one.name, (one.ratio, one.srcc), (5, 5), textcoords="offset points", fontsize=9)
        axes.axvline(1, color="#c1121f", linewidth=1, label="our int8 program")
        axes.set(
            xscale="log",
            xlabel="latency, times our int8 program's, measured side by side",
            ylabel="SRCC on LIVE-in-the-Wild, published",
        )
        axes.margins(x=0.12)  # room for the names
        axes.legend(loc="lower right")
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)


def _cells(one: PeerFigures) -> list[object]:
    last = (one.score, "{:.4f}") if one.group == STUDENT else (one.srcc, "{:.3f}")
    return [
        one.name,
        _interval(one.p50_ms, one.p50_low, one.p50_high),
        "1" if one.ratio is None else _interval(one.ratio, one.ratio_low, one.ratio_high),
        one.n,
        one.peak_mib,
        one.file_mb,
        one.parameters_m,
        one.macs_g,
        None if last[0] is None else last[1].format(last[0]),
    ]


def _interval(value: float, low: float, high: float) -> str:
    middle, *ends = (f"{float(f'{number:.3g}'):g}" for number in (value, low, high))  # 1630, not 1.63e+03
    return f"{middle} [{', '.join(ends)}]"
