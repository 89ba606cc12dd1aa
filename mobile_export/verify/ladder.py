"""The parity ladder: from the eager float student to every artifact, one comparison a rung.

A rung compares the outputs of two neighbouring steps on the same inputs, so the first broken rung names the step that
broke, and the ladder stops there. Outputs are the score and the six attributes. Real photos and random noise are two
sets with a row each: noise drives activations where no photo does, and a bound that holds on photos may be chance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from pocketiqa.parity import srcc

from mobile_export.verify.bounds import Bound

Outputs = np.ndarray  # float64 n×7, one row an input
Run = Callable[[np.ndarray], np.ndarray]
PHOTOS, NOISE = "photos", "noise"
_FEWEST_FOR_SRCC = 24


@dataclass(frozen=True)
class Rung:
    """One comparison.

    Attributes:
        reference, candidate: the two steps.
        inputs: what was compared: ``photos``, ``noise``, ``weights``, ``layers``, ``pixel levels`` or ``bundled
            cases``.
        n: how many of them.
        max_abs, mean_abs: over all seven outputs, and of the score; for weights and layers relative errors.
        srcc: rank correlation of the score; None where there is none, or fewer than 24 inputs.
        bound: in words.
        holds: whether the candidate keeps it.
        worst: the input, weight or layer with the largest difference.
    """

    reference: str
    candidate: str
    inputs: str
    n: int
    max_abs: float
    mean_abs: float
    srcc: float | None
    bound: str
    holds: bool
    worst: str = ""

    def to_dict(self) -> dict[str, object]:
        """JSON-ready."""
        return asdict(self)

    def __str__(self) -> str:
        worst = f" at {self.worst}" if self.worst else ""
        return f"{self.reference} ↔ {self.candidate} on {self.inputs}: max {self.max_abs:.2g}{worst}, {self.bound}"


class BrokenRung(Exception):
    """The first rung that does not hold, last of ``rungs``; nothing after it was compared."""

    def __init__(self, rungs: Sequence[Rung]) -> None:
        self.rungs = list(rungs)
        self.rung = self.rungs[-1]
        super().__init__(f"broken: {self.rung}")


class Ladder:
    """Outputs of each step on the same inputs, and the rungs between them.

    Args:
        photos: input tensors of real photos.
        noise: input tensors of random noise; none leaves its rows out.
        names: of the photos, for the worst case.
    """

    def __init__(
        self, photos: Sequence[np.ndarray], noise: Sequence[np.ndarray] = (), names: Sequence[str] = ()
    ) -> None:
        self.photos, self.noise = photos, noise
        self.names = list(names) or [f"photo {number}" for number in range(len(photos))]
        self.outputs: dict[str, Outputs] = {}
        self.noise_outputs: dict[str, Outputs] = {}
        self.rungs: list[Rung] = []

    def step(self, name: str, run: Run) -> Outputs:
        """Run one step on every input; ``run`` gives the seven outputs for one."""
        self.outputs[name] = _outputs(run, self.photos)
        self.noise_outputs[name] = _outputs(run, self.noise)
        return self.outputs[name]

    def rung(self, reference: str, candidate: str, bound: Bound) -> None:
        """Compare two steps that were run.

        Raises:
            BrokenRung: the bound is not kept; the rung is in ``rungs`` all the same.
        """
        self.add(_compare(reference, candidate, PHOTOS, self.outputs, bound, self.names))
        if len(self.noise):
            names = [f"noise {number}" for number in range(len(self.noise))]
            judged = bound if bound.on_noise else Bound()
            self.add(_compare(reference, candidate, NOISE, self.noise_outputs, judged, names))

    def add(self, rung: Rung) -> None:
        """Take a rung that was compared elsewhere.

        Raises:
            BrokenRung: it does not hold.
        """
        self.rungs.append(rung)
        if not rung.holds:
            raise BrokenRung(self.rungs)


def _outputs(run: Run, inputs: Sequence[np.ndarray]) -> Outputs:
    return np.array([np.asarray(run(views), dtype=np.float64).ravel() for views in inputs])


def _compare(
    reference: str, candidate: str, inputs: str, outputs: dict[str, Outputs], bound: Bound, names: Sequence[str]
) -> Rung:
    before, after = outputs[reference], outputs[candidate]
    gap = np.abs(after - before)
    if not np.isfinite(after).all():
        gap = np.full_like(gap, np.inf)
    max_abs, mean_abs = float(gap.max()), float(gap[:, 0].mean())
    ranked = srcc(before[:, 0], after[:, 0]) if len(before) >= _FEWEST_FOR_SRCC and np.isfinite(max_abs) else None
    return Rung(
        reference=reference,
        candidate=candidate,
        inputs=inputs,
        n=len(before),
        max_abs=max_abs,
        mean_abs=mean_abs,
        srcc=ranked,
        bound=str(bound) or "not promised",
        holds=bool(np.isfinite(max_abs)) and bound.holds(max_abs, mean_abs, 1.0 if ranked is None else ranked),
        worst=names[int(gap.max(axis=1).argmax())],
    )


def table(rungs: Sequence[Rung]) -> str:
    """The ladder as aligned text, one rung a row."""
    rows = [("reference", "candidate", "on", "n", "max |Δ|", "mean |Δ|", "SRCC", "bound", "verdict")]
    rows += [
        (r.reference, r.candidate, r.inputs, str(r.n), f"{r.max_abs:.1e}", f"{r.mean_abs:.1e}",
         "" if r.srcc is None else f"{r.srcc:.4f}", r.bound, verdict(r))
        for r in rungs
    ]  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def verdict(rung: Rung) -> str:
    """``holds``, ``BROKEN``, or ``shown`` where nothing is promised."""
    return "BROKEN" if not rung.holds else "shown" if rung.bound == "not promised" else "holds"
