"""Which layers int8 hurts: each alone in int8 and each alone in float, on real photos.

The graph is rounded to nearest and its heads are kept: what rounding does before anything makes up for it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import matplotlib
import numpy as np
import torch
from pocketiqa.parity import srcc
from tqdm import tqdm

from quantize.layers import Layer, layers_of, only_rounding
from quantize.prepare import Prepared, fake_quantizers
from quantize.recipe import Recipe, TuningPhotos, quantize
from quantize.refit_heads import logit

matplotlib.use("Agg")
import matplotlib.pyplot as plt


@dataclass(frozen=True)
class Effect:
    """What one set of roundings does to the seven outputs.

    Attributes:
        sqnr: of the logits about their means, in dB: signal variance over squared error.
        srcc: rank correlation of the score with the float one.
        mean_abs: mean |Δ| of the score.
        deviation: standard deviation of Δ.
    """

    sqnr: float
    srcc: float
    mean_abs: float
    deviation: float


@dataclass(frozen=True)
class LayerSensitivity:
    """One layer: the effect of it alone in int8, and of all but it in int8."""

    name: str
    alone_int8: Effect
    alone_float: Effect


def sensitivity(prepared: Prepared, inputs: Sequence[torch.Tensor], reference: np.ndarray) -> list[LayerSensitivity]:
    """Every layer of a calibrated graph, the most harmful alone in int8 first.

    Args:
        inputs: n photos; three passes over them per layer take the time.
        reference: float64 n×7 outputs of the float student.
    """
    everything = [rounding for _, rounding in fake_quantizers(prepared)]
    layers = layers_of(prepared)
    rows = [
        LayerSensitivity(
            layer.name,
            effect(prepared, inputs, reference, layer.roundings),
            effect(prepared, inputs, reference, _without(everything, layer)),
        )
        for layer in tqdm(layers, desc="sensitivity", mininterval=5)
    ]
    return sorted(rows, key=lambda row: -row.alone_int8.mean_abs)


def ranked_layers(student: torch.nn.Module, photos: TuningPhotos, recipe: Recipe, rows: Sequence[int]) -> list[Layer]:
    """Layers by the error of the score that each makes alone in int8, the worst first.

    By its deviation: a constant error is what refitted heads take back. The layers are those of a graph of their own,
    rounded to nearest and with the student's own heads: heads that were fitted to int8 would call a float layer wrong.

    Args:
        student: the float student.
        photos: calibrate the graph.
        recipe: which layers stay float, and the observer.
        rows: positions of the photos that judge.
    """
    plain = replace(recipe, weights="nearest", heads="kept", fine_tuning=None)
    prepared = quantize(student, photos, plain, "ranking")
    inputs, reference = photos.inputs.take(rows), photos.targets[rows]
    layers = tqdm(layers_of(prepared), desc="ranking layers", mininterval=5)
    errors = {layer: effect(prepared, inputs, reference, layer.roundings).deviation for layer in layers}
    return sorted(errors, key=lambda layer: -errors[layer])


@torch.no_grad()
def effect(prepared: Prepared, inputs: Sequence[torch.Tensor], reference: np.ndarray, roundings: list) -> Effect:
    """The effect of ``roundings`` alone."""
    with only_rounding(prepared, roundings):
        outputs = np.stack([prepared(views)[0][0].numpy() for views in inputs]).astype(np.float64)
    signal, noise = logit(reference), logit(outputs) - logit(reference)
    power = (signal - signal.mean(0)).var()
    return Effect(
        sqnr=float(10 * np.log10(power / max(float(np.square(noise).mean()), 1e-20))),
        srcc=srcc(reference[:, 0], outputs[:, 0]),
        mean_abs=float(np.abs(outputs[:, 0] - reference[:, 0]).mean()),
        deviation=float((outputs[:, 0] - reference[:, 0]).std()),
    )


def markdown(rows: list[LayerSensitivity], n: int) -> str:
    """A table, a row a layer, in the rows' order."""
    lines = [
        "| layer | alone int8: SQNR (dB) | SRCC | mean \\|Δ\\| | alone float: SQNR (dB) | SRCC | mean \\|Δ\\| |",
        "| --- |" + " ---: |" * 6,
    ]
    for row in rows:
        cells = [f"{e.sqnr:.1f} | {e.srcc:.4f} | {e.mean_abs:.5f}" for e in (row.alone_int8, row.alone_float)]
        lines.append(f"| `{row.name.removeprefix('trunk.')}` | {cells[0]} | {cells[1]} |")
    return "\n".join([*lines, "", f"n = {n} photos, clean and degraded."])


def write(rows: list[LayerSensitivity], n: int, out: Path) -> None:
    """``sensitivity.md``, ``.json`` and a bar chart ``.png`` in the folder ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "sensitivity.md").write_text(markdown(rows, n) + "\n")
    (out / "sensitivity.json").write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    figure, axis = plt.subplots(figsize=(8, 0.17 * len(rows) + 1), layout="constrained")
    axis.barh([row.name.removeprefix("trunk.") for row in rows][::-1], [r.alone_int8.mean_abs for r in rows][::-1])
    axis.set_xlabel("mean |Δ| of the score with this layer alone in int8")
    axis.tick_params(axis="y", labelsize=6)
    figure.savefig(out / "sensitivity.png", dpi=90)
    plt.close(figure)


def _without(everything: list, layer: Layer) -> list:
    left_out = {id(rounding) for rounding in layer.roundings}
    return [rounding for rounding in everything if id(rounding) not in left_out]
