"""``python -m quantize.experiments compare``: recipes side by side in one table, the shipped int8 state among them."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field, replace
from pathlib import Path

from pocketiqa.files import atomic_file

from quantize.figures import Figures, measure, table
from quantize.prepare import convert
from quantize.program import latency_ratio, lower
from quantize.qat import QatConfig
from quantize.recipe import Recipe, quantize
from quantize.state import SHIPPED, load_prepared
from quantize.subject import PhotosConfig, load_subject

_ALL_INT8 = Recipe(float_modules=frozenset())
_NEAREST = replace(_ALL_INT8, weights="nearest", heads="kept")
RECIPES = {
    "moving-average": replace(_NEAREST, observer="moving-average"),
    "min-max": _NEAREST,
    "histogram": replace(_NEAREST, observer="histogram"),
    "shifted": replace(_NEAREST, heads="shifted"),
    "refitted": replace(_NEAREST, heads="refitted"),
    "together": replace(_NEAREST, weights="together"),
    "all-int8": _ALL_INT8,
    "PTQ": Recipe(),
    "QAT": Recipe(fine_tuning=QatConfig()),
}
_SHIPPED = "shipped"


@dataclass(frozen=True)
class CompareConfig(PhotosConfig):
    """Which recipes are measured, and on which photos.

    Attributes:
        recipes: "shipped" for the int8 state in the repository, and names of RECIPES in this file. PTQ and QAT
            keep the network's float layers and all-int8 its heads alone; the others round weights to nearest and keep
            the heads as they are, except for what their name says.
        csv: also write the rows there, one a recipe.
    """

    recipes: list[str] = field(default_factory=lambda: [_SHIPPED])
    csv: Path | None = None


def compare_recipes(config: CompareConfig) -> str:
    """A Markdown table: figures, bytes, and the latency ratio to float measured in turns.

    Raises:
        CalibrationError: too few photos, unreadable ones, or noise.
        ContractError: no such network.
        ValueError: a recipe that does not exist.
    """
    unknown = set(config.recipes) - {_SHIPPED, *RECIPES}
    if unknown:
        raise ValueError(f"no recipe {min(unknown)!r}; there are {_SHIPPED}, {', '.join(RECIPES)}")
    if _SHIPPED in config.recipes and config.network not in SHIPPED:
        raise ValueError(f"no int8 state of {config.network} ships; name recipes: {', '.join(RECIPES)}")
    subject = load_subject(config)
    rows = {"float": measure(subject.reference, subject.reference, subject.mos)}
    megabytes, times = [f"{len(subject.program.buffer) / 1e6:.2f}"], ["1"]
    for name in config.recipes:
        if name == _SHIPPED:
            prepared = load_prepared(subject.network, SHIPPED[config.network], subject.weights_sha256)
        else:
            prepared = quantize(subject.network, subject.photos, RECIPES[name], name)
        lowered = lower(convert(prepared))
        rows[name] = subject.judge(lowered, name)
        megabytes.append(f"{len(lowered.buffer) / 1e6:.2f}")
        times.append(f"{latency_ratio(lowered, subject.program, subject.validation):.2f}")
    further = {"MB": megabytes, "time": times}
    if config.csv is not None:
        write_rows(rows, further, config.csv)
    return table(rows, further)


def write_rows(rows: dict[str, Figures], further: dict[str, list[str]], out: Path) -> None:
    """The table's rows as CSV, with more digits."""
    out.parent.mkdir(parents=True, exist_ok=True)
    records = [
        {"recipe": name} | figures.to_dict() | {title: cells[number] for title, cells in further.items()}
        for number, (name, figures) in enumerate(rows.items())
    ]
    with atomic_file(out) as file:
        writer = csv.DictWriter(file, list(records[-1]), lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(records)
