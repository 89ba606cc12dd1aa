"""Does a gate decide alike by two programs? How many photos one accepts and the other refuses, with an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pocketiqa.binomial import interval
from pocketiqa.gate import Gate
from pocketiqa.promises import DECISION_FLIPS


@dataclass(frozen=True)
class DecisionFlips:
    """How many of n photos got another decision.

    Attributes:
        n: photos, 1 or more.
        refused: photos that the reference refuses.
        names: of the photos whose decisions differ.
    """

    n: int
    refused: int
    names: tuple[str, ...]

    @property
    def share(self) -> float:
        """Of the photos, in [0, 1]."""
        return len(self.names) / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """The share's 95 % interval of Clopper and Pearson."""
        return interval(len(self.names), self.n)

    def broken(self, bound: float = DECISION_FLIPS) -> list[str]:
        """One line where the share is over ``bound``; none where it holds. Of photos so few that a single one would be
        over it, the whole interval must be."""
        found = self.share if self.n * bound >= 1 else self.interval[0]
        return [f"{self}: over {bound:.2%}"] if found > bound else []

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "names": list(self.names), "share": self.share, "interval": list(self.interval)}

    def __str__(self) -> str:
        low, high = self.interval
        counted = f"{len(self.names)} of {self.n} photos, {self.share:.2%} ({low:.2%} to {high:.2%})"
        return f"decisions differ on {counted}; {self.refused} are refused"


def decision_flips(
    gate: Gate, measures: Sequence[str], reference: np.ndarray, candidate: np.ndarray, names: Sequence[str]
) -> DecisionFlips:
    """Count the photos that the gate decides otherwise.

    Args:
        gate: it asks for none but the measures.
        measures: names of the columns, ``score`` first.
        reference, candidate: n×m values of the n ≥ 1 photos by two programs.
        names: of the photos.

    Raises:
        PocketiqaError: the gate asks for a value that is not among ``measures``.
    """
    before, after = (
        np.array([gate.decide_values(dict(zip(measures, map(float, row)))).accepted for row in rows])
        for rows in (reference, candidate)
    )
    differ = np.flatnonzero(before != after)
    return DecisionFlips(len(before), int((~before).sum()), tuple(names[i] for i in differ))
