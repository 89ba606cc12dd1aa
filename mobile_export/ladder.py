"""The parity ladder: from the eager float student to every artifact, one comparison a rung.

A rung compares the outputs of two neighbouring steps on the same photos, so the first broken rung names the step
that broke. Outputs are the score and the six attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from pocketiqa.parity import srcc

Outputs = np.ndarray  # float64 n×7, one row a photo
Run = Callable[[np.ndarray], np.ndarray]

# Same arithmetic in another order: float32 sums over a thousand terms differ in the sixth digit.
SAME_GRAPH = 1e-4
# Rounding of weights and activations to float16 (11 bits), over fifty layers.
HALF_PRECISION = 2e-2
# The same int8 graph in another implementation: values on a rounding border fall to the other side, and over fifty
# layers a few per mille of the activations move by a step. A wrong scale or zero point moves scores ten times more.
SAME_INT8_GRAPH = 3e-2
# What quantization may cost; mean over photos. The product's promise, see pocketiqa.parity.Thresholds.
QUANTIZATION_MEAN = 1e-2
QUANTIZATION_SRCC = 0.99
_FEWEST_FOR_SRCC = 24


@dataclass(frozen=True)
class Rung:
    """One comparison. Differences are over all seven outputs; SRCC is the score's."""

    reference: str
    candidate: str
    n: int
    max_abs: float
    mean_abs: float
    srcc: float
    bound: str
    holds: bool

    def to_dict(self) -> dict[str, object]:
        """JSON-ready."""
        return asdict(self)


class Ladder:
    """Outputs of each step on the same photos, and the rungs between them."""

    def __init__(self, inputs: Sequence[np.ndarray]) -> None:
        self.inputs = inputs
        self.outputs: dict[str, Outputs] = {}
        self.rungs: list[Rung] = []

    def step(self, name: str, run: Run) -> Outputs:
        """Run one step on every input; ``run`` gives the seven outputs for one."""
        self.outputs[name] = np.array([np.asarray(run(views), dtype=np.float64).ravel() for views in self.inputs])
        return self.outputs[name]

    def rung(self, reference: str, candidate: str, max_abs: float) -> Rung:
        """Compare two steps of one graph: no output may differ by more than ``max_abs``."""
        return self._add(reference, candidate, lambda rung: rung.max_abs <= max_abs, f"max |Δ| ≤ {max_abs:g}")

    def quantization_rung(self, reference: str, candidate: str) -> Rung:
        """Compare a quantized step with the float one: mean difference and rank correlation of the score."""
        bound = f"mean |Δ| ≤ {QUANTIZATION_MEAN:g}, SRCC ≥ {QUANTIZATION_SRCC:g}"
        return self._add(
            reference,
            candidate,
            lambda rung: (
                rung.mean_abs <= QUANTIZATION_MEAN and (rung.srcc >= QUANTIZATION_SRCC or rung.n < _FEWEST_FOR_SRCC)
            ),
            bound,
        )

    def _add(self, reference: str, candidate: str, holds: Callable[[Rung], bool], bound: str) -> Rung:
        before, after = self.outputs[reference], self.outputs[candidate]
        gap = np.abs(after - before)
        finite = bool(np.isfinite(after).all())
        rung = Rung(
            reference=reference,
            candidate=candidate,
            n=len(before),
            max_abs=float(gap.max()) if finite else float("inf"),
            mean_abs=float(gap[:, 0].mean()) if finite else float("inf"),
            srcc=srcc(before[:, 0], after[:, 0]) if finite else 0.0,
            bound=bound,
            holds=False,
        )
        rung = Rung(**{**rung.to_dict(), "holds": holds(rung)})
        self.rungs.append(rung)
        return rung

    def broken(self) -> Rung | None:
        """The first rung that does not hold, or None."""
        return next((rung for rung in self.rungs if not rung.holds), None)


def table(rungs: Sequence[Rung]) -> str:
    """The ladder as aligned text, one rung a row."""
    rows = [("reference", "candidate", "n", "max |Δ|", "mean |Δ|", "SRCC", "bound", "verdict")]
    rows += [
        (r.reference, r.candidate, str(r.n), f"{r.max_abs:.1e}", f"{r.mean_abs:.1e}", f"{r.srcc:.4f}", r.bound,
         "holds" if r.holds else "BROKEN")
        for r in rungs
    ]  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)
