"""Every bound that pocketiqa promises or is checked against, once, each with its reason. No numpy, no torch.

    promise = Bundle.open().manifest.promise
    compare(float_scores, int8_scores).broken(promise)      # one line for each bound that does not hold

Scores are in [0, 1], so a difference of 0.01 is a hundredth of the scale. A bundle carries the promise of its
int8 program in ``manifest.json``; one that carries none is held to ``ANY_NETWORK``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from pocketiqa.errors import BundleError

# With fewer photos, what is estimated over them (a correlation, a share, a mean that should be zero) says little.
LEAST_PHOTOS = 24
# Float scores closer than this are a tie to a viewer: only pairs further apart count as flipped.
CLEAR_DIFFERENCE = 0.05


@dataclass(frozen=True)
class Promise:
    """What an int8 program keeps of its float original. None: not promised.

    Attributes:
        srcc: least rank correlation of the scores; judged from ``LEAST_PHOTOS`` photos on.
        mean_abs: largest mean |difference| of the scores.
        max_abs: largest |difference| of a photo's score.
        bias: largest |mean difference| of the scores; judged from ``LEAST_PHOTOS`` photos on.
        flips: largest share of pairs that change their order, among those whose float scores differ by
            ``CLEAR_DIFFERENCE`` or more; judged from ``LEAST_PHOTOS`` photos on.
        unique: least share of different values among the int8 scores, which a coarse head lowers; judged from
            ``LEAST_PHOTOS`` photos on.
        mos_drop: largest loss of rank correlation with people's opinions, where opinions are at hand.
    """

    srcc: float | None = None
    mean_abs: float | None = None
    max_abs: float | None = None
    bias: float | None = None
    flips: float | None = None
    unique: float | None = None
    mos_drop: float | None = None

    def broken(self, n: int, figures: Mapping[str, float | None]) -> list[str]:
        """One line for each bound that does not hold.

        Args:
            n: photos that the figures were measured on.
            figures: by the attributes' names, with their signs; one that is missing or None is not judged, and NaN
                keeps no bound.
        """
        lines = []
        for name, label in _LABELS.items():
            bound, value = getattr(self, name), figures.get(name)
            if bound is None or value is None or (name in _OVER_PHOTOS and n < LEAST_PHOTOS):
                continue
            if name in _LEAST:
                if not value >= bound:
                    lines.append(f"{label} {value:.4f} is under {bound:g}")
                continue
            if name == "bias":
                value = abs(value)
            if not value <= bound:
                lines.append(f"{label} {value:.4f} is over {bound:g}")
        return lines

    def on_golden_photos(self) -> Promise:
        """What is asked on a bundle's golden photos: of the shipped student the same, of another network
        ``OTHER_PHOTOS`` times the loss."""
        if self == SHIPPED:
            return self
        loosened = {
            name: max(0.0, 1 - OTHER_PHOTOS * (1 - bound)) if name in _LEAST else min(1.0, OTHER_PHOTOS * bound)
            for name, bound in self.to_dict().items()
        }
        return Promise(**loosened)

    def to_dict(self) -> dict[str, float]:
        """JSON-ready: what is promised, by name."""
        return {name: bound for name, bound in asdict(self).items() if bound is not None}

    @classmethod
    def from_dict(cls, values: Any) -> Promise:
        """The promise of a manifest; raises BundleError for an unknown name, or a bound that is no number in
        [0, 1]."""
        if not isinstance(values, dict):
            raise BundleError(f"promise is {type(values).__name__}; it must be an object")
        known = [field.name for field in fields(cls)]
        for name, bound in values.items():
            if name not in known:
                raise BundleError(f"promise has {name!r}; known are {', '.join(known)}")
            if type(bound) not in (int, float) or not 0 <= bound <= 1:
                raise BundleError(f"promise has {name} of {bound!r}; it must be a number in [0, 1]")
        return cls(**values)

    def __str__(self) -> str:
        return ", ".join(_worded(name, bound) for name, bound in self.to_dict().items()) or "nothing"


# The student that ships: its int8 program ranks as the float one does.
SHIPPED = Promise(srcc=0.998, mean_abs=0.005, max_abs=0.03, bias=0.002, flips=0.001, unique=0.95, mos_drop=0.003)
# A network of a user's own, unless its maker promises something else.
ANY_NETWORK = Promise(srcc=0.99, mean_abs=0.01, unique=0.95)
# A network of a user's own keeps its promise on photos like the user's, where ``python -m quantize`` measures it. The
# 24 golden photos are others, and few: there it may lose so many times as much.
OTHER_PHOTOS = 2.0

# Golden photos: the largest |difference| of any output from what the exporter measured. In fp32 machines differ in the
# order of summation only. In int8 a last digit may carry an activation over a rounding border.
GOLDEN = {"int8": 0.01, "fp32": 1e-4}

# The share of photos whose decision at a gate may differ between int8 and float: what an app sees of quantization.
DECISION_FLIPS = 0.005

# One float graph in two forms: the same numbers in another order of summation, so float32's last digits.
SAME_GRAPH = 1e-4
# One int8 graph in two implementations: a value on a rounding border falls to the other side. Measured in the graph's
# output step (what an output moves by when each channel behind the last rounding is off by one). Either implementation
# may be off by one, so they stay within two steps on every photo, and within half a step on average.
INT8_STEPS_MAX, INT8_STEPS_MEAN = 2.0, 0.5
# Or measured, where a network carries what falls early into all that follows: both implementations' values fall, each
# as far as the graph's own do when what is rounded is nudged by float16's last place.
INT8_FALLS = 2.0
# What float16 may cost, in the deviation of the float scores over the photos.
HALF_PRECISION_MAX, HALF_PRECISION_MEAN = 0.1, 0.01
# An app's own input tensor, in levels of 1/255: decoders of JPEG differ by a level or two in some pixels, a resize in
# the last one's rounding.
APP_INPUT_MAX, APP_INPUT_MEAN = 6.0, 0.5
# Rounding a weight to float16 changes it by 2**-12; what float16 is too coarse for is left out before.
WEIGHTS = 2e-3
# A layer on its reference's own input: float16 costs up to 0.1 %. In int8 a scale that is rounded to float16 carries
# some values over a rounding border: up to 0.5 % in convolutions, 1.4 % behind attention, whose values are few steps
# wide. A zero point that is off by one moves every value by a step, which is 2 % and more; a weight tensor that is off
# by 1 % shows as 1 %, and is caught among the weights.
LAYER_FLOAT16, LAYER_INT8 = 3e-3, 1.7e-2

_LABELS = {
    "srcc": "SRCC", "mean_abs": "mean |Δ|", "max_abs": "max |Δ|", "bias": "|bias|", "flips": "clear flips",
    "unique": "unique share", "mos_drop": "loss of SRCC to MOS",
}  # fmt: skip
_LEAST = ("srcc", "unique")
_OVER_PHOTOS = ("srcc", "bias", "flips", "unique")


def _worded(name: str, bound: float) -> str:
    return f"{_LABELS[name]} {'≥' if name in _LEAST else '≤'} {bound:g}"


def promises_table() -> str:
    """The two promises and the golden tolerances as a Markdown table, for READMEs and model cards to quote."""
    rows = [("int8 against float", "the shipped student", "a network of your own")]
    for name, label in _LABELS.items():
        sign = "≥" if name in _LEAST else "≤"
        bounds = [getattr(promise, name) for promise in (SHIPPED, ANY_NETWORK)]
        note = f" (from {LEAST_PHOTOS} photos on)" if name in _OVER_PHOTOS else ""
        rows.append((label + note, *("" if bound is None else f"{sign} {bound:g}" for bound in bounds)))
    for variant, bound in GOLDEN.items():
        rows.append((f"golden photos, {variant}: max |Δ| of any output", f"≤ {bound:g}", f"≤ {bound:g}"))
    lines = ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows]
    return "\n".join([lines[0], "| --- | ---: | ---: |", *lines[1:]])
