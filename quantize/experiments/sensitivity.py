"""``python -m quantize.experiments sensitivity``: each layer alone in int8, and alone in float."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import matplotlib
import numpy as np
import torch
from pocketiqa.files import atomic_file
from tqdm import tqdm

from quantize.figures import markdown_table
from quantize.layers import Int8Layer, int8_layers
from quantize.prepare import Prepared, fake_quantizers
from quantize.ranking import Effect, effect
from quantize.recipe import Recipe, quantize
from quantize.subject import PhotosConfig, load_subject

matplotlib.use("Agg")
import matplotlib.pyplot as plt


@dataclass(frozen=True)
class SensitivityConfig(PhotosConfig):
    """Which photos the layers are measured on.

    Attributes:
        photos: of those to calibrate on; two passes over them per layer take the time.
        keep_float: modules that stay float; by default the heads alone, so that every other layer is measured.
        out: a folder for sensitivity.csv and .png.
    """

    photos: int = 16
    keep_float: tuple[str, ...] = ()
    out: Path = Path("runs/sensitivity")


@dataclass(frozen=True)
class LayerSensitivity:
    """One layer: the effect of it alone in int8, and of all but it in int8."""

    name: str
    alone_int8: Effect
    alone_float: Effect


def measure_sensitivity(config: SensitivityConfig) -> str:
    """The table as Markdown; its rows also go to ``out``.

    Raises:
        CalibrationError: too few photos, unreadable ones, or noise.
        ContractError: no such network.
    """
    subject = load_subject(config)
    recipe = Recipe(weights="nearest", heads="kept", float_modules=frozenset(config.keep_float))
    prepared = quantize(subject.network, subject.photos, recipe, "nearest rounding")
    calibration = subject.photos.calibration
    few = calibration.take(range(0, len(calibration), max(1, len(calibration) // config.photos)))
    rows = sensitivity(prepared, few, subject.program.quality(few, "float"))
    write(rows, config.out)
    return f"{markdown(rows)}\n\nn = {len(few)} photos, clean and degraded."


def sensitivity(prepared: Prepared, inputs: Sequence[torch.Tensor], reference: np.ndarray) -> list[LayerSensitivity]:
    """Every layer of a calibrated graph, the most harmful alone in int8 first.

    Args:
        inputs: n photos; two passes over them per layer take the time.
        reference: float64 n×(1 + attributes) of the float network.
    """
    everything = [fake_quant for _, fake_quant in fake_quantizers(prepared)]
    rows = [
        LayerSensitivity(
            layer.name,
            effect(prepared, inputs, reference, layer.fake_quants),
            effect(prepared, inputs, reference, _without(everything, layer)),
        )
        for layer in tqdm(int8_layers(prepared), desc="sensitivity", mininterval=5)
    ]
    return sorted(rows, key=lambda row: -row.alone_int8.mean_abs)


def markdown(rows: list[LayerSensitivity]) -> str:
    """A table, a row a layer, in the rows' order."""
    figures = ["SQNR (dB)", "SRCC", "mean \\|Δ\\|"]
    titles = ["layer", *(f"alone {form}: {figure}" for form in ("int8", "float") for figure in figures)]

    def cells(one: Effect) -> list[str]:
        return [f"{one.sqnr:.1f}", f"{one.srcc:.4f}", f"{one.mean_abs:.5f}"]

    lines = [[f"`{row.name}`", *cells(row.alone_int8), *cells(row.alone_float)] for row in rows]
    return markdown_table(titles, lines)


def write(rows: list[LayerSensitivity], out: Path) -> None:
    """``sensitivity.csv`` and a bar chart ``sensitivity.png`` in the folder ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    with atomic_file(out / "sensitivity.csv") as file:
        writer = csv.writer(file, lineterminator="\n")
        kinds = ("alone_int8", "alone_float")
        writer.writerow(["layer", *(f"{kind}_{name}" for kind in kinds for name in asdict(rows[0].alone_int8))])
        for row in rows:
            writer.writerow([row.name, *(f"{v:.6g}" for kind in kinds for v in asdict(getattr(row, kind)).values())])
    figure, axis = plt.subplots(figsize=(8, 0.17 * len(rows) + 1), layout="constrained")
    axis.barh([row.name for row in rows][::-1], [row.alone_int8.mean_abs for row in rows][::-1])
    axis.set_xlabel("mean |Δ| of the score with this layer alone in int8")
    axis.tick_params(axis="y", labelsize=6)
    figure.savefig(out / "sensitivity.png", dpi=90)
    plt.close(figure)


def _without(everything: list, layer: Int8Layer) -> list:
    left_out = {id(fake_quant) for fake_quant in layer.fake_quants}
    return [fake_quant for fake_quant in everything if id(fake_quant) not in left_out]
