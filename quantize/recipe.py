"""How a float network becomes int8, as a recipe of a few choices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from tqdm import tqdm

from distill.contract import QualityNetwork
from quantize.calibration import Inputs
from quantize.float16_grid import put_parameters_on_grid
from quantize.prepare import Prepared, prepare
from quantize.ptq import calibrate
from quantize.qat import QatConfig, fine_tune
from quantize.quantizer import NetworkQuantizer
from quantize.refit_heads import refit_heads, shift_heads
from quantize.weight_rounding import round_weights


@dataclass(frozen=True)
class Recipe:
    """Choices of post-training quantization, and whether fine-tuning follows.

    Attributes:
        observer: what sets an activation's range: the extremes, their moving average over photos, or a histogram's
            range of least squared error.
        weights: each rounded to its nearest value, or all of a layer rounded together.
        heads: kept; shifted by a constant; or fitted anew to the int8 layers. A network that names no heads keeps them.
        fine_tuning: quantization-aware fine-tuning before the heads, or None.
        float_modules: dotted names of the modules whose own operators stay float; by default the network's
            ``float_layers`` with all that is below them.
    """

    observer: Literal["min-max", "moving-average", "histogram"] = "min-max"
    weights: Literal["nearest", "together"] = "together"
    heads: Literal["kept", "shifted", "refitted"] = "refitted"
    fine_tuning: QatConfig | None = None
    float_modules: frozenset[str] | None = None


@dataclass(frozen=True)
class TuningPhotos:
    """What a recipe learns from; no labels.

    Attributes:
        inputs: of n photos.
        targets: float64 n×(1 + attributes) in [0, 1], the float network's quality of them.
        calibration: those among the inputs that set ranges and round weights.
    """

    inputs: Inputs
    targets: np.ndarray
    calibration: Inputs


def quantize(network: QualityNetwork, photos: TuningPhotos, recipe: Recipe, title: str) -> Prepared:
    """The prepared graph of ``network`` with every range set; ``network`` is not changed.

    Deterministic: the same arguments give the same tensors.
    """
    prepared = prepare(network, NetworkQuantizer(network, recipe.float_modules, recipe.observer))
    calibrate(prepared, tqdm(photos.calibration, desc=f"{title}: ranges", mininterval=5))
    if recipe.weights == "together":
        round_weights(prepared, tqdm(photos.calibration, desc=f"{title}: weights", mininterval=5))
    if recipe.fine_tuning is not None:
        with tqdm(total=recipe.fine_tuning.steps, desc=f"{title}: fine-tuning", mininterval=5) as bar:

            def report(step: int, loss: float) -> None:
                bar.set_postfix(loss=f"{loss:.5f}", refresh=False)
                bar.update()

            fine_tune(prepared, prepare(network), photos.inputs, recipe.fine_tuning, network.heads_name, report)
    put_parameters_on_grid(prepared)
    if network.heads_name is not None and recipe.heads != "kept":
        fit = refit_heads if recipe.heads == "refitted" else shift_heads
        fit(prepared, network.heads_name, photos.targets, photos.inputs, f"{title}: heads")
        put_parameters_on_grid(prepared)  # again, for the heads themselves
    return prepared
