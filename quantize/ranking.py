"""Which layers int8 hurts most: each alone in int8, on real photos.

The graph is rounded to nearest and its heads are kept: what rounding does before anything makes up for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from pocketiqa.parity import srcc
from torchao.quantization.pt2e import FakeQuantizeBase
from tqdm import tqdm

from distill.contract import QualityNetwork
from quantize.layers import Int8Layer, int8_layers, only_fake_quants
from quantize.prepare import Prepared
from quantize.recipe import Recipe, TuningPhotos, quantize
from quantize.refit_heads import logit

_NOTHING = 1e-20  # in the place of no power at all, which has no logarithm


@dataclass(frozen=True)
class Effect:
    """What one set of fake quantizations does to the outputs.

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


def ranked_layers(
    network: QualityNetwork, photos: TuningPhotos, recipe: Recipe, rows: Sequence[int]
) -> list[Int8Layer]:
    """Layers by the error of the score that each makes alone in int8, the worst first.

    By its deviation: a constant error is what refitted heads take back. The layers are those of a graph of their own,
    rounded to nearest and with the network's own heads: heads that were fitted to int8 would call a float layer wrong.

    Args:
        network: the float network.
        photos: calibrate the graph.
        recipe: which layers stay float, and the observer.
        rows: positions of the photos that judge.
    """
    plain = replace(recipe, weights="nearest", heads="kept", fine_tuning=None)
    prepared = quantize(network, photos, plain, "ranking")
    inputs, reference = photos.inputs.take(rows), photos.targets[rows]
    layers = tqdm(int8_layers(prepared), desc="ranking layers", mininterval=5)
    errors = {layer: effect(prepared, inputs, reference, layer.fake_quants).deviation for layer in layers}
    return sorted(errors, key=lambda layer: -errors[layer])


@torch.no_grad()
def effect(
    prepared: Prepared, inputs: Sequence[torch.Tensor], reference: np.ndarray, fake_quants: list[FakeQuantizeBase]
) -> Effect:
    """The effect of ``fake_quants`` alone.

    Args:
        prepared: a calibrated graph.
        inputs: n photos.
        reference: float64 n×(1 + attributes) of the float network, in [0, 1].
        fake_quants: the only ones that round.
    """
    with only_fake_quants(prepared, fake_quants):
        outputs = np.stack([prepared(views)[0][0].numpy() for views in inputs]).astype(np.float64)
    signal, noise = logit(reference), logit(outputs) - logit(reference)
    power = (signal - signal.mean(0)).var()
    return Effect(
        sqnr=float(10 * np.log10(max(float(power), _NOTHING) / max(float(np.square(noise).mean()), _NOTHING))),
        srcc=srcc(reference[:, 0], outputs[:, 0]),
        mean_abs=float(np.abs(outputs[:, 0] - reference[:, 0]).mean()),
        deviation=float((outputs[:, 0] - reference[:, 0]).std()),
    )
