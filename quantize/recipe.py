"""How a float student becomes int8, as a recipe of a few choices; ``compare`` measures them side by side."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from tqdm import tqdm

from quantize.calibration import Inputs
from quantize.equalization import equalize
from quantize.float16_grid import put_parameters_on_grid
from quantize.prepare import Prepared, prepare
from quantize.ptq import calibrate
from quantize.qat import QatConfig, fine_tune
from quantize.quantizer import StudentQuantizer
from quantize.refit_heads import refit_heads, shift_heads
from quantize.weight_rounding import round_weights


@dataclass(frozen=True)
class Recipe:
    """Choices of post-training quantization, and whether fine-tuning follows.

    Attributes:
        observer: what sets an activation's range: the extremes, their moving average over photos, or a histogram's
            range of least squared error.
        equalization: channels of linear bottlenecks are scaled to similar ranges first.
        weights: each rounded to its nearest value, or all of a layer rounded together.
        heads: kept; shifted by a constant; or fitted anew to the int8 trunk.
        fine_tuning: quantization-aware fine-tuning before the heads, or None.
        float_modules: dotted names of modules that stay float.
    """

    observer: Literal["min-max", "moving-average", "histogram"] = "min-max"
    equalization: bool = False
    weights: Literal["nearest", "together"] = "together"
    heads: Literal["kept", "shifted", "refitted"] = "refitted"
    fine_tuning: QatConfig | None = None
    float_modules: frozenset[str] = frozenset()


@dataclass(frozen=True)
class TuningPhotos:
    """What a recipe learns from: inputs, the float student's outputs for them (n×7 in [0, 1]), no labels.

    ``calibration`` are the inputs, among these, that set ranges and round weights.
    """

    inputs: Inputs
    targets: np.ndarray
    calibration: Inputs


def quantize(student: torch.nn.Module, photos: TuningPhotos, recipe: Recipe, title: str) -> Prepared:
    """The prepared graph of ``student`` with every rounding set; ``student`` is not changed.

    Deterministic: the same arguments give the same tensors.
    """
    own = copy.deepcopy(student)
    if recipe.equalization:
        equalize(own, photos.calibration)
    prepared = prepare(own, StudentQuantizer(recipe.float_modules, recipe.observer))
    calibrate(prepared, tqdm(photos.calibration, desc=f"{title}: ranges", mininterval=5))
    if recipe.weights == "together":
        round_weights(prepared, tqdm(photos.calibration, desc=f"{title}: weights", mininterval=5))
    if recipe.fine_tuning is not None:
        reference = prepare(own)
        with tqdm(total=recipe.fine_tuning.steps, desc=f"{title}: fine-tuning", mininterval=5) as bar:

            def report(step: int, loss: float) -> None:
                bar.set_postfix(loss=f"{loss:.5f}", refresh=False)
                bar.update()

            fine_tune(prepared, reference, photos.inputs, recipe.fine_tuning, report)
    put_parameters_on_grid(prepared)
    if recipe.heads == "refitted":
        refit_heads(prepared, photos.targets, photos.inputs, f"{title}: heads")
    elif recipe.heads == "shifted":
        shift_heads(prepared, photos.targets, photos.inputs, f"{title}: heads")
    put_parameters_on_grid(prepared)  # again, for the heads themselves
    return prepared
