"""How an int8 student stands to its float original, against the bounds that the product promises."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from pocketiqa.parity import srcc
from scipy.stats import bootstrap

# Float scores closer than this are a tie to a viewer; only clearer pairs count as flipped.
CLEAR_DIFFERENCE = 0.05


@dataclass(frozen=True)
class Bounds:
    """What is allowed. Scores are in [0, 1].

    Attributes:
        srcc: least rank correlation with the float student.
        mean_abs, max_abs: largest mean and single |difference|.
        bias: largest |mean difference|.
        flips: largest share of flipped pairs among those that differ by ``CLEAR_DIFFERENCE``.
        mos_drop: largest loss of rank correlation with opinions.
    """

    srcc: float = 0.998
    mean_abs: float = 0.005
    max_abs: float = 0.03
    bias: float = 0.002
    flips: float = 0.001
    mos_drop: float = 0.003


@dataclass(frozen=True)
class Figures:
    """Measured on n photos; ``mos_srcc`` on those with opinions, with a 95 % bootstrap interval, or None."""

    n: int
    srcc: float
    mean_abs: float
    max_abs: float
    bias: float
    flips: float
    mos_srcc: float | None = None
    mos_interval: tuple[float, float] | None = None
    mos_drop: float | None = None

    def broken(self, bounds: Bounds) -> list[str]:
        """A line for each bound that does not hold."""
        lines = []
        if not self.srcc >= bounds.srcc:
            lines.append(f"SRCC {self.srcc:.4f} is under {bounds.srcc:g}")
        for name, label in (("mean_abs", "mean |Δ|"), ("max_abs", "max |Δ|"), ("bias", "|bias|"), ("flips", "flips")):
            value = abs(getattr(self, name))
            if not value <= getattr(bounds, name):
                lines.append(f"{label} {value:.4f} is over {getattr(bounds, name):g}")
        if self.mos_drop is not None and not self.mos_drop <= bounds.mos_drop:
            lines.append(f"SRCC to MOS falls by {self.mos_drop:.4f}, over {bounds.mos_drop:g}")
        return lines

    def to_dict(self) -> dict[str, object]:
        """JSON-ready."""
        rounded = {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(self).items()}
        return {name: value for name, value in rounded.items() if value is not None}


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
            "mos_interval": interval(ours, mos),
            "mos_drop": srcc(theirs, mos) - srcc(ours, mos),
        }
    return Figures(
        n=len(gap),
        srcc=srcc(reference, candidate),
        mean_abs=float(np.abs(gap).mean()),
        max_abs=float(np.abs(gap).max()),
        bias=float(gap.mean()),
        flips=clear_flips(reference, candidate),
        **opinions,
    )


def clear_flips(reference: np.ndarray, candidate: np.ndarray) -> float:
    """Share, in [0, 1], of the pairs that ``reference`` clearly orders which ``candidate`` orders the other way."""
    gap = reference[:, None] - reference[None]
    clear = gap >= CLEAR_DIFFERENCE
    flipped = clear & (candidate[:, None] < candidate[None])
    return float(flipped.sum() / clear.sum()) if clear.any() else 0.0


def interval(scores: np.ndarray, mos: np.ndarray) -> tuple[float, float]:
    """95 % percentile bootstrap interval of the rank correlation; seeded."""
    found = bootstrap(
        (scores, mos), srcc, paired=True, vectorized=False, n_resamples=999, method="percentile", rng=0
    ).confidence_interval
    return round(float(found.low), 4), round(float(found.high), 4)


def table(rows: dict[str, Figures], further: dict[str, list[str]] | None = None) -> str:
    """A Markdown table, a row a student.

    Args:
        further: titles of further columns, and their cells in the rows' order.
    """
    further = further or {}
    titles = ["", "n", "SRCC to float", "mean \\|Δ\\|", "max \\|Δ\\|", "bias", "clear flips", "SRCC to MOS", *further]
    lines = [f"| {' | '.join(titles)} |", "| --- |" + " ---: |" * (len(titles) - 1)]
    for number, (name, figures) in enumerate(rows.items()):
        cells = [name, str(figures.n), f"{figures.srcc:.4f}", f"{figures.mean_abs:.4f}", f"{figures.max_abs:.4f}"]
        cells += [f"{figures.bias:+.4f}", f"{figures.flips:.3%}", _opinions(figures)]
        cells += [column[number] for column in further.values()]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _opinions(figures: Figures) -> str:
    if figures.mos_srcc is None:
        return ""
    low, high = figures.mos_interval
    return f"{figures.mos_srcc:.4f} [{low:.3f}, {high:.3f}], drop {figures.mos_drop:+.4f}"
