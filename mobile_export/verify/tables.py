"""Parity checks as text: all of them, or one line an artifact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tabulate import tabulate

from mobile_export.verify.ladder import PHOTOS, ParityCheck

_COLUMNS = ("reference", "candidate", "on", "n", "max |Δ|", "mean |Δ|", "SRCC", "bound", "verdict")
_SUMMARY = ("artifact", "MB", "checks", "max |Δ|", "at", "bound", "verdict")


def table(checks: Sequence[ParityCheck], style: str = "plain") -> str:
    """The checks as a table of ``tabulate``'s styles, one a row."""
    rows = [
        (c.reference, c.candidate, c.inputs, c.n, _short(c.max_abs), _short(c.mean_abs),
         "" if c.srcc is None else f"{c.srcc:.4f}", c.bound, c.verdict)
        for c in checks
    ]  # fmt: skip
    headers = _COLUMNS
    if style == "github":  # whose cells end at a bar
        headers, *rows = ([str(cell).replace("|", "\\|") for cell in row] for row in (_COLUMNS, *rows))
    return tabulate(rows, headers, tablefmt=style, disable_numparse=True)


def summary(checks: Sequence[ParityCheck], sizes: Mapping[str, tuple[int, int | None]]) -> str:
    """One line for each artifact, and for what comes before them.

    A line shows the artifact's outputs against its own graph's on the photos: the largest difference, the photo where
    it is, the bound. Its verdict is the worst of all its checks, whose number stands beside it.

    Args:
        checks: of the ladder, in order.
        sizes: bytes and delegated subgraphs of each artifact.
    """
    groups: dict[str, list[ParityCheck]] = {}
    for check in checks:
        groups.setdefault(check.about, []).append(check)
    rows = []
    for about, group in groups.items():
        shown = next((check for check in group if check.inputs == PHOTOS), group[0])
        verdicts = [check.verdict for check in group]
        verdict = next((bad for bad in ("BROKEN", "not run") if bad in verdicts), "holds")
        size = f"{sizes[about][0] / 1e6:.2f}" if about in sizes else ""
        rows.append((about, size, len(group), _short(shown.max_abs), shown.worst, shown.bound, verdict))
    return tabulate(
        rows, _SUMMARY, disable_numparse=True, colalign=("left", "right", "right", "left", "left", "left", "left")
    )


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"
