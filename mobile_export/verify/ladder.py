"""The parity ladder: from the eager float network to every artifact, one parity check after another.

A check compares the outputs of two neighbouring steps on the same inputs, so the first broken check names the step
that broke, and the ladder stops there. Outputs are the score and the attributes. Real photos and random noise are two
sets with a row each: noise drives activations where no photo does, and a bound that holds on photos may be chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from pocketiqa.parity import srcc
from pocketiqa.promises import LEAST_PHOTOS

from mobile_export.lower.request import Run
from mobile_export.verify.bounds import Bound, Promised

Outputs = np.ndarray  # float64 n×(1 + attributes), one row an input
PHOTOS, NOISE = "photos", "noise"
NOT_PROMISED, NOT_EXECUTED = "not promised", "not executed here"


@dataclass(frozen=True)
class ParityCheck:
    """One comparison.

    Attributes:
        reference, candidate: the two steps.
        inputs: what was compared: ``photos``, ``noise``, ``weights``, ``layers``, ``pixel levels``, ``bundled
            cases`` or ``decisions``.
        n: how many of them.
        max_abs, mean_abs: over all outputs, and of the score; for weights and layers relative errors, for decisions
            the share that differs. None where nothing was compared.
        srcc: rank correlation of the score; None where there is none, or fewer than ``LEAST_PHOTOS`` inputs.
        bound: in words.
        holds: whether the candidate keeps it; None where it could not be executed.
        worst: the input, weight or layer with the largest difference; why nothing was compared.
        about: the artifact that it judges, or what comes before all artifacts.
    """

    reference: str
    candidate: str
    inputs: str
    n: int
    max_abs: float | None
    mean_abs: float | None
    srcc: float | None
    bound: str
    holds: bool | None
    worst: str = ""
    about: str = ""

    @property
    def verdict(self) -> str:
        """``holds``, ``BROKEN``, ``shown`` where nothing is promised, ``not run`` where nothing was executed."""
        if self.holds is None:
            return "not run"
        return "BROKEN" if not self.holds else "shown" if self.bound == NOT_PROMISED else "holds"

    def to_dict(self) -> dict[str, object]:
        """JSON-ready."""
        return asdict(self)

    def __str__(self) -> str:
        if self.max_abs is None:
            return f"{self.reference} ↔ {self.candidate}: {self.bound}"
        worst = f" at {self.worst}" if self.worst else ""
        ranked = "" if self.srcc is None else f", SRCC {self.srcc:.4f}"
        found = f"max {self.max_abs:.2g}{worst}, mean {self.mean_abs:.2g}{ranked}"
        return f"{self.reference} ↔ {self.candidate} on {self.inputs}: {found}; allowed: {self.bound}"


class BrokenParityCheck(Exception):
    """The first check that does not hold, last of ``checks``; nothing after it was compared. ``advice`` follows it in
    the message."""

    exit_status = 1

    def __init__(self, checks: Sequence[ParityCheck], advice: str = "") -> None:
        self.checks = list(checks)
        self.check = self.checks[-1]
        super().__init__(f"broken: {self.check}{advice}")


class ParityLadder:
    """Outputs of each step on the same inputs, and the checks between them.

    Args:
        photos: input tensors of real photos.
        noise: input tensors of random noise; none leaves its rows out.
        names: of the photos, for the worst case.

    Attributes:
        about: what the next checks judge.
    """

    def __init__(
        self, photos: Sequence[np.ndarray], noise: Sequence[np.ndarray] = (), names: Sequence[str] = ()
    ) -> None:
        self.photos, self.noise = photos, noise
        self.names = list(names) or [f"photo {number}" for number in range(len(photos))]
        self.outputs: dict[str, Outputs] = {}
        self.noise_outputs: dict[str, Outputs] = {}
        self.checks: list[ParityCheck] = []
        self.about = ""

    def step(self, name: str, run: Run, photos: int | None = None) -> Outputs:
        """Run one step on every input, or on the first ``photos`` and one of noise; ``run`` gives the quality vector
        of one."""
        self.outputs[name] = _outputs(run, self.photos[:photos])
        self.noise_outputs[name] = _outputs(run, self.noise if photos is None else self.noise[:1])
        return self.outputs[name]

    def check(self, reference: str, candidate: str, bound: Bound | Promised) -> None:
        """Compare two steps that were run.

        Raises:
            BrokenParityCheck: the bound is not kept; the check is in ``checks`` all the same.
        """
        self.add(_compare(reference, candidate, PHOTOS, self.outputs, bound, self.names))
        if len(self.noise):
            names = [f"noise {number}" for number in range(len(self.noise))]
            self.add(_compare(reference, candidate, NOISE, self.noise_outputs, bound.on_noise, names))

    def add(self, check: ParityCheck) -> None:
        """Take a check that was made elsewhere.

        Raises:
            BrokenParityCheck: it does not hold.
        """
        self.checks.append(replace(check, about=self.about))
        if check.holds is False:
            raise BrokenParityCheck(self.checks)


def not_executed(reference: str, candidate: str, why: str) -> ParityCheck:
    """The row of an artifact that was built and cannot be executed here."""
    return ParityCheck(reference, candidate, PHOTOS, 0, None, None, None, f"{NOT_EXECUTED}: {why}", None)


def refused(reference: str, candidate: str, error: Exception) -> ParityCheck:
    """The row of an artifact that its runtime does not run."""
    return ParityCheck(reference, candidate, PHOTOS, 0, None, None, None, f"its runtime refuses it: {error}", False)


def _outputs(run: Run, inputs: Sequence[np.ndarray]) -> Outputs:
    return np.array([np.asarray(run(views), dtype=np.float64).ravel() for views in inputs])


def _compare(
    reference: str,
    candidate: str,
    inputs: str,
    outputs: dict[str, Outputs],
    bound: Bound | Promised,
    names: Sequence[str],
) -> ParityCheck:
    after = outputs[candidate]
    before = outputs[reference][: len(after)]
    gap = np.abs(after - before)
    finite = bool(np.isfinite(gap).all())
    if not finite:
        gap = np.full_like(gap, np.inf)
    ranked = srcc(before[:, 0], after[:, 0]) if finite and len(before) >= LEAST_PHOTOS else None
    return ParityCheck(
        reference=reference,
        candidate=candidate,
        inputs=inputs,
        n=len(before),
        max_abs=float(gap.max()),
        mean_abs=float(gap[:, 0].mean()),
        srcc=ranked,
        bound=str(bound) or NOT_PROMISED,
        holds=finite and not bound.broken(before, after),
        worst=names[int(gap.max(axis=1).argmax())],
    )
