"""May this photo be used? A gate holds the least values that a photo's score and attributes must have.

    gate = Gate.of(scorer.bundle)      # or Gate.read("gate.json")
    decision = gate.decide(scorer("photo.jpg"))
    print(decision.accepted, *decision.reasons)      # False too blurred: sharpness 0.213, needs 0.350

The rule, which apps in other languages repeat: a photo is refused when any of its values, float32 compared as float64,
is under its threshold. Each such threshold is a reason, in the file's order. After them come hints: attributes of the
refused photo that few good photos have so low. Hints refuse nothing. Values are shown cut to three decimals and
thresholds have no more, so that the value that is shown is under the one beside it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pocketiqa.binomial import interval
from pocketiqa.bundle import Bundle
from pocketiqa.errors import BundleError, PocketiqaError, one_line
from pocketiqa.files import atomic_file, read_regular_file
from pocketiqa.json_fields import NUMBER, get_field, parse_object, plain_word
from pocketiqa.scorer import Result

SCHEMA_VERSION = 1
STEPS = 1000  # thresholds are thousandths
MAX_BYTES = 1024**2
SCORE = "score"
# What a photo is whose attribute is too low; other attributes' words are "NAME too low".
WORDS = {
    SCORE: "poor quality", "sharpness": "too blurred", "noise": "too noisy", "exposure": "badly exposed",
    "contrast": "too little contrast", "colour": "unnatural colours", "compression": "too compressed",
}  # fmt: skip


@dataclass(frozen=True)
class Threshold:
    """The least value, in [0, 1] and a multiple of 0.001, that ``measure`` (``score`` or an attribute) must have;
    ``words`` say what a photo is that has less."""

    measure: str
    least: float
    words: str


@dataclass(frozen=True)
class Reason:
    """A ``value`` that is under a threshold of the gate, or under that of a hint."""

    threshold: Threshold
    value: float
    is_hint: bool = False

    def __str__(self) -> str:
        shown, least = math.floor(self.value * STEPS) / STEPS, self.threshold.least
        beside = "good photos have" if self.is_hint else "needs"
        return f"{self.threshold.words}: {self.threshold.measure} {shown:.3f}, {beside} {least:.3f}"


@dataclass(frozen=True)
class Decision:
    """Whether a photo is accepted. The reasons of a refused one: what refuses it, then hints; else none."""

    accepted: bool
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class Fit:
    """What a gate was fitted to, and what is guaranteed of it: see `pocketiqa.gate_fitting`.

    Attributes:
        max_false_refusal: at most this share of good photos is refused …
        confidence: … with this confidence over the draw of the photos that it was fitted to.
        bound: the upper Clopper–Pearson bound of the refused share; at most ``max_false_refusal``.
        good, good_refused: good photos that the bound was measured on, and how many of them the gate refuses.
        bad, bad_refused: the same of bad photos beside them; nothing is guaranteed of these.
        method: in words.
        program, sha256: the bundle's name and version, and the hash of the program whose values were taken.
        data: the photos, in words.
        date: of the fit, ``YYYY-MM-DD``.
    """

    max_false_refusal: float
    confidence: float
    bound: float
    good: int
    good_refused: int
    bad: int
    bad_refused: int
    method: str
    program: str
    sha256: str
    data: str
    date: str

    def sentences(self) -> list[str]:
        """The guarantee and what was measured, a line each."""
        lines = [
            f"at most {self.max_false_refusal:.2%} of good photos are refused, with confidence {self.confidence:.3g}: "
            f"{self.good_refused} of {self.good} were (bound {self.bound:.2%})"
        ]
        if self.bad:
            low, high = interval(self.bad_refused, self.bad)
            lines.append(f"of bad photos {self.bad_refused} of {self.bad} were refused ({low:.0%} to {high:.0%})")
        return [*lines, f"fitted on {self.date} to {self.data}, with {self.program}"]


@dataclass(frozen=True)
class Gate:
    """What a photo needs.

    Attributes:
        thresholds: each of them refuses; in the order of the reasons.
        hints: what explains a refusal beside them.
        fit: where the thresholds come from; None where a person wrote them.
    """

    thresholds: tuple[Threshold, ...]
    hints: tuple[Threshold, ...] = ()
    fit: Fit | None = None

    def decide(self, result: Result) -> Decision:
        """Accept or refuse a photo.

        Raises:
            PocketiqaError: the photo could not be scored, or its result lacks a value that the gate asks for.
        """
        if result.error is not None:
            raise PocketiqaError(f"{result.path or 'the photo'}: {result.error}")
        return self.decide_values({SCORE: result.score, **result.attributes})

    def decide_values(self, values: Mapping[str, float]) -> Decision:
        """As ``decide``, by the score and the attributes alone."""
        self.check_measures(tuple(values))
        refusals = _under(self.thresholds, values, is_hint=False)
        if not refusals:
            return Decision(True)
        named = {reason.threshold.measure for reason in refusals}
        hints = [hint for hint in _under(self.hints, values, is_hint=True) if hint.threshold.measure not in named]
        return Decision(False, (*refusals, *hints))

    def check_measures(self, measures: tuple[str, ...]) -> None:
        """Raises PocketiqaError unless the gate asks only for values that are among ``measures``."""
        for threshold in (*self.thresholds, *self.hints):
            if threshold.measure not in measures:
                raise PocketiqaError(
                    f"the gate asks for {threshold.measure!r}, and this bundle gives {', '.join(measures)}; "
                    "fit a gate to this bundle: pocketiqa fit-gate"
                )

    def __str__(self) -> str:
        lines = [f"{entry.measure} needs {entry.least:.3f}, else {entry.words}" for entry in self.thresholds]
        if self.fit is not None:
            lines += self.fit.sentences()
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; ``from_json`` reads it back."""
        values = asdict(self)
        if self.fit is None:
            del values["fit"]
        return {"schema_version": SCHEMA_VERSION, **values}

    def write(self, path: Path) -> None:
        """Write the gate as indented JSON, whole or not at all; raises OSError when the folder cannot be written."""
        with atomic_file(path) as file:
            file.write(json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n")

    @classmethod
    def of(cls, bundle: Bundle) -> Gate:
        """The gate that a bundle carries; raises BundleError where it carries none, or a file that was changed."""
        name = bundle.manifest.gate
        if not name:
            raise BundleError(f"the bundle {bundle.label} carries no gate; fit one: pocketiqa fit-gate")
        return cls.from_json(bundle.read(name), name)

    @classmethod
    def read(cls, path: str | Path) -> Gate:
        """Read a gate's file; raises BundleError for a file that is none."""
        return cls.from_json(read_regular_file(Path(path), MAX_BYTES), str(path))

    @classmethod
    def from_json(cls, encoded: bytes, where: str = "gate.json") -> Gate:
        """Raises BundleError for the first field that is missing, of a wrong type or out of range."""
        values = parse_object(encoded, where)
        version = get_field(values, "schema_version", int, where)
        if version != SCHEMA_VERSION:
            raise BundleError(f"{where} has schema_version {version}; this pocketiqa reads {SCHEMA_VERSION}")
        thresholds = _thresholds(get_field(values, "thresholds", list, where), f"{where}: thresholds")
        hints = _thresholds(get_field(values, "hints", list, where, default=[]), f"{where}: hints")
        return cls(thresholds, hints, _fit(values["fit"], f"{where}: fit") if "fit" in values else None)


def words_for(measure: str) -> str:
    """What a photo is whose ``measure`` is too low."""
    return WORDS.get(measure, f"{measure} too low")


def _under(thresholds: tuple[Threshold, ...], values: Mapping[str, float], is_hint: bool) -> list[Reason]:
    pairs = [(threshold, values[threshold.measure]) for threshold in thresholds]
    return [Reason(threshold, value, is_hint) for threshold, value in pairs if value < threshold.least]


def _thresholds(entries: list[Any], where: str) -> tuple[Threshold, ...]:
    thresholds = tuple(_threshold(entry, f"{where}[{number}]") for number, entry in enumerate(entries))
    if len({threshold.measure for threshold in thresholds}) != len(thresholds):
        raise BundleError(f"{where} has one measure twice; keep the higher threshold")
    return thresholds


def _threshold(entry: Any, where: str) -> Threshold:
    measure = plain_word(get_field(entry, "measure", str, where), f"{where}: measure")
    least = _share(entry, "least", where)
    if least != round(least * STEPS) / STEPS:
        raise BundleError(f"{where} has a least of {least!r}; give three decimals at most")
    return Threshold(measure, least, one_line(get_field(entry, "words", str, where, default=words_for(measure))))


def _fit(entry: Any, where: str) -> Fit:
    shares = {name: _share(entry, name, where) for name in ("max_false_refusal", "confidence", "bound")}
    counts = {name: get_field(entry, name, int, where) for name in ("good", "good_refused", "bad", "bad_refused")}
    for name in ("good", "bad"):
        if not 0 <= counts[f"{name}_refused"] <= counts[name]:
            raise BundleError(f"{where}: {name}_refused must be from 0 to {name}, and is {counts[f'{name}_refused']}")
    names = ("method", "program", "sha256", "data", "date")
    return Fit(**shares, **counts, **{name: one_line(get_field(entry, name, str, where)) for name in names})


def _share(entry: Any, name: str, where: str) -> float:
    value = get_field(entry, name, NUMBER, where)
    if not 0 <= value <= 1:
        raise BundleError(f"{where} has {name!r} of {value!r}; it must be a number in [0, 1]")
    return float(value)
