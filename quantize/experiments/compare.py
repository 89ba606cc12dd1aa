"""``python -m quantize compare``: the shipped student beside other recipes, in one table."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pocketiqa.files import sha256_of

from quantize.figures import measure, table
from quantize.networks import FLOAT_LAYERS
from quantize.prepare import convert
from quantize.program import latency_ratio, lower
from quantize.qat import QatConfig
from quantize.quantize_student import PhotosConfig, load_subject
from quantize.recipe import Recipe, quantize
from quantize.state import SHIPPED, load_prepared

_FIRST = frozenset(FLOAT_LAYERS["lite0"])
_NEAREST = Recipe(weights="nearest", heads="kept")
RECIPES = {
    "moving-average": replace(_NEAREST, observer="moving-average"),
    "min-max": _NEAREST,
    "histogram": replace(_NEAREST, observer="histogram"),
    "equalized": replace(_NEAREST, equalization=True),
    "shifted": replace(_NEAREST, heads="shifted"),
    "refitted": replace(_NEAREST, heads="refitted"),
    "together": replace(_NEAREST, weights="together"),
    "all-int8": Recipe(),
    "PTQ": Recipe(float_modules=_FIRST),
    "QAT": Recipe(fine_tuning=QatConfig(), float_modules=_FIRST),
}
_SHIPPED = "shipped"


@dataclass(frozen=True)
class CompareConfig(PhotosConfig):
    """Which recipes are measured, and on which photos.

    Attributes:
        recipes: "shipped" for the int8 student in the repository, and names of RECIPES in this file. PTQ and QAT
            keep the first layers float and all-int8 does not; the others round weights to nearest and keep the
            heads, except for what their name says.
    """

    recipes: list[str] = field(default_factory=lambda: [_SHIPPED])


def compare_recipes(config: CompareConfig) -> tuple[str, bool]:
    """A Markdown table: figures, bytes, and the latency ratio to float measured in turns.

    Raises:
        CalibrationError: too few photos, unreadable ones, or noise.
        FileNotFoundError: no student.
        ValueError: a recipe that does not exist.
    """
    unknown = set(config.recipes) - {_SHIPPED, *RECIPES}
    if unknown:
        raise ValueError(f"no recipe {min(unknown)!r}; there are {_SHIPPED}, {', '.join(RECIPES)}")
    subject = load_subject(config)
    rows = {"float": measure(subject.reference, subject.reference, subject.mos)}
    megabytes, times = [f"{len(subject.program.buffer) / 1e6:.2f}"], ["1"]
    for name in config.recipes:
        if name == _SHIPPED:
            prepared = load_prepared(subject.student, SHIPPED, sha256_of(config.student))
        else:
            prepared = quantize(subject.student, subject.photos, RECIPES[name], name)
        lowered = lower(convert(prepared))
        rows[name] = subject.judge(lowered, name)
        megabytes.append(f"{len(lowered.buffer) / 1e6:.2f}")
        times.append(f"{latency_ratio(lowered, subject.program, subject.validation):.2f}")
    return table(rows, {"MB": megabytes, "time": times}), True
