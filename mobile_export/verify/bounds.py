"""What each parity check allows, and why. The constants, each with its reason, are ``pocketiqa.promises``.

Three kinds of difference exist, and each has its own scale:

- **one graph, the same numbers, another order of summation**: float32's last digits, ``SAME_GRAPH``;
- **one int8 graph in another implementation**: a value on a rounding border falls to the other side. Two scales, of
  which the larger counts, are in ``rounding.py``: the *output step*, how far an output moves when every channel mean
  that the heads read is off by one int8 step, each independently; and the *border falls*, measured, of a network that
  carries what falls early into every layer behind it;
- **another precision**: float16 costs a share of the scores' own deviation, int8 what the bundle promises.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pocketiqa import promises
from pocketiqa.parity import compare
from pocketiqa.promises import Promise

from mobile_export.verify.rounding import Rounding


@dataclass(frozen=True)
class Bound:
    """The most that two steps may differ by, for inputs of every kind; what is None is not judged.

    Attributes:
        max_abs: of any output of any input.
        mean_abs: of the score, mean over photos.
    """

    max_abs: float | None = None
    mean_abs: float | None = None

    @property
    def on_noise(self) -> Bound:
        """The maximum alone: a mean of a few inputs is hardly less a matter of chance than one of them."""
        return Bound(max_abs=self.max_abs)

    def broken(self, reference: np.ndarray, candidate: np.ndarray) -> list[str]:
        """One line for each bound that is not kept, by finite outputs n×(1 + attributes) of the two steps."""
        gap = np.abs(candidate - reference)
        found = {"max |Δ|": (gap.max(), self.max_abs), "mean |Δ|": (gap[:, 0].mean(), self.mean_abs)}
        return [
            f"{label} {value:.2g} is over {bound:.2g}"
            for label, (value, bound) in found.items()
            if bound is not None and not value <= bound
        ]

    def __str__(self) -> str:
        parts = {"max |Δ| ≤": self.max_abs, "mean |Δ| ≤": self.mean_abs}
        return ", ".join(f"{words} {value:.2g}" for words, value in parts.items() if value is not None)


@dataclass(frozen=True)
class Promised:
    """What int8 keeps of the float scores; random noise is shown and not judged, because nothing is promised there."""

    promise: Promise

    @property
    def on_noise(self) -> Bound:
        """Nothing."""
        return Bound()

    def broken(self, reference: np.ndarray, candidate: np.ndarray) -> list[str]:
        """As :meth:`Bound.broken`, of the scores."""
        return compare(reference[:, 0], candidate[:, 0]).broken(self.promise)

    def __str__(self) -> str:
        """Its first bounds; the manifest and the model card have them all."""
        shown = Promise(srcc=self.promise.srcc, mean_abs=self.promise.mean_abs)
        return f"the promise: {shown}" + (", …" if shown != self.promise else "")


SAME_GRAPH = Bound(max_abs=promises.SAME_GRAPH)


@dataclass(frozen=True)
class Scales:
    """What a build's bounds are measured in.

    Attributes:
        deviation: standard deviation of the float scores of the golden photos.
        rounding: of the int8 graph; None where no int8 is built.
        promise: what int8 keeps of float.
    """

    deviation: float
    rounding: Rounding | None
    promise: Promise


def same_graph(scales: Scales) -> Bound:
    """For another implementation of a float graph."""
    return SAME_GRAPH


def same_int8_graph(scales: Scales) -> Bound:
    """For another implementation of an int8 graph: no further, on average, than int8 may be from float."""
    rounding, promised_mean = scales.rounding, scales.promise.on_golden_photos().mean_abs
    # Scores that hardly differ have steps below float32's last digits, which the heads' sums may lose.
    digits = promises.SAME_GRAPH
    mean = max(promises.INT8_STEPS_MEAN * rounding.step, promises.INT8_FALLS * rounding.falls_mean, digits)
    return Bound(
        max_abs=max(promises.INT8_STEPS_MAX * rounding.step, promises.INT8_FALLS * rounding.falls_max, digits),
        mean_abs=mean if promised_mean is None else min(mean, promised_mean),
    )


def half_precision(scales: Scales) -> Bound:
    """For a float16 program of a float graph."""
    deviation = scales.deviation
    return Bound(
        max_abs=promises.HALF_PRECISION_MAX * deviation, mean_abs=promises.HALF_PRECISION_MEAN * deviation
    )


def promised(scales: Scales) -> Promised:
    """For int8 against float, on the golden photos."""
    return Promised(scales.promise.on_golden_photos())
