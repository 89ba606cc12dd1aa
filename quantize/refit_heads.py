"""The float heads, fitted anew to what the int8 layers say: a ridge regression towards the float network's logits.

Rounding errors of fifty layers arrive at the heads as a shift that depends on the photo: blurred ones err one way,
noisy ones another. What of it is linear in the pooled features, the float heads can take back, at no cost on the
phone. It is the bias correction of Nagel et al. (ICCV 2019) carried on from a constant to a linear function.
"""

from __future__ import annotations

import numpy as np
import torch
from pocketiqa.parity import rmse

from quantize.calibration import Inputs
from quantize.graph import head_nodes, outputs_of, with_head_inputs
from quantize.prepare import Prepared, convert
from quantize.program import lower

# Penalties on the change of a weight, in units of the features' variance; cross-validation takes one. The last leaves
# little but a constant: with few photos, more than that would be fitted to those alone.
PENALTIES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 10.0, 100.0, 10000.0)
_EDGE = 1e-6


@torch.no_grad()
def refit_heads(prepared: Prepared, heads_name: str, targets: np.ndarray, inputs: Inputs, title: str) -> None:
    """Fit the heads of a calibrated graph, in place.

    Args:
        prepared: calibrated and frozen.
        heads_name: the module whose layers give the logits; see ``QualityNetwork.heads_name``.
        targets: float64 n×(1 + attributes) of the float network, in [0, 1].
        inputs: the n photos.
        title: of the progress bar.
    """
    weights, bias = _heads(prepared, heads_name)
    watched = convert(with_head_inputs(prepared, heads_name))
    columns = lower(watched).run(inputs, title)
    quality, read = columns[0], columns[outputs_of(prepared) :]
    # A position's value is linear in its features, so the mean over positions is all that the logit needs.
    features = np.concatenate([_pooled(block) for block in read], axis=1)
    wanted = logit(targets) - logit(quality[:, 0].astype(np.float64))
    penalty = _cross_validated(features, wanted)
    change, shift = ridge(features, wanted, penalty)
    start = 0
    for weight in weights:
        width = weight[0].numel()
        # The rows of the outputs alone; what further rows lose by rounding is the outputs' to mend.
        outputs = weight[: len(change)]
        outputs += torch.from_numpy(change[:, start : start + width]).float().reshape(outputs.shape)
        start += width
    bias[: len(shift)] += torch.from_numpy(shift).float()


@torch.no_grad()
def shift_heads(prepared: Prepared, heads_name: str, targets: np.ndarray, inputs: Inputs, title: str) -> None:
    """Shift the heads' bias alone, so that on ``inputs`` the mean logits are the float network's."""
    _, bias = _heads(prepared, heads_name)
    quality = lower(convert(prepared)).quality(inputs, title)
    shift = torch.from_numpy((logit(targets) - logit(quality)).mean(0)).float()
    bias[: len(shift)] += shift


def ridge(features: np.ndarray, wanted: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights m×k and constants m of the linear function of n×k ``features`` nearest to n×m ``wanted``.

    The penalty is on each weight times its feature's standard deviation, relative to n.
    """
    mean, deviation = features.mean(0), features.std(0) + 1e-6
    standard = (features - mean) / deviation
    centred = wanted - wanted.mean(0)
    gram = standard.T @ standard / len(standard) + penalty * np.eye(standard.shape[1])
    weight = np.linalg.solve(gram, standard.T @ centred / len(standard)).T / deviation
    return weight, wanted.mean(0) - weight @ mean


def logit(quality: np.ndarray) -> np.ndarray:
    """Outputs in [0, 1] before their sigmoid."""
    clipped = np.clip(quality, _EDGE, 1 - _EDGE)
    return np.log(clipped) - np.log1p(-clipped)


def _cross_validated(features: np.ndarray, wanted: np.ndarray, folds: int = 4) -> float:
    """The penalty whose fit to three quarters leaves the least error on the fourth."""
    fold = np.arange(len(features)) % folds

    def error(penalty: float) -> float:
        left = []
        for out in range(folds):
            weight, shift = ridge(features[fold != out], wanted[fold != out], penalty)
            left.append(rmse((features[fold == out] @ weight.T + shift).ravel(), wanted[fold == out].ravel()))
        return float(np.mean(left))

    return min(PENALTIES, key=error)


def _pooled(block: np.ndarray) -> np.ndarray:
    """Float64 n×k of what a head reads: n×1×k×h×w of a convolution, n×1×k of a linear layer, n×1×positions×k of one
    that reads tokens."""
    if block.ndim == 5:
        block = block.mean((3, 4))
    return (block.mean(2) if block.ndim == 4 else block)[:, 0].astype(np.float64)


def _heads(prepared: Prepared, heads_name: str) -> tuple[list[torch.nn.Parameter], torch.nn.Parameter]:
    tensors = dict(prepared.named_parameters())
    nodes = head_nodes(prepared, heads_name)
    bias = next(tensors[node.args[2].target] for node in nodes if len(node.args) > 2 and node.args[2] is not None)
    return [tensors[node.args[1].target] for node in nodes], bias
