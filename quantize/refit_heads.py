"""The float heads, fitted anew to what the int8 trunk says: a ridge regression towards the float student's logits.

Rounding errors of fifty layers arrive at the heads as a shift that depends on the photo: blurred ones err one way,
noisy ones another. What of it is linear in the pooled features, the float heads can take back, at no cost on the
phone. It is the bias correction of Nagel et al. (ICCV 2019) carried on from a constant to a linear function.
"""

from __future__ import annotations

import numpy as np
import torch
from pocketiqa.parity import rmse

from quantize.calibration import Inputs
from quantize.prepare import Prepared, convert
from quantize.program import lower
from quantize.quantizer import module_of

_HEAD_OPERATORS = {torch.ops.aten.conv2d.default, torch.ops.aten.linear.default}
# Penalties on the change of a weight, in units of the features' variance; cross-validation takes one.
PENALTIES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
_EDGE = 1e-6


@torch.no_grad()
def refit_heads(prepared: Prepared, targets: np.ndarray, inputs: Inputs, title: str) -> None:
    """Fit the heads of a calibrated graph, in place; its logits must be sums of linear heads' means, bent by hinges.

    Args:
        prepared: calibrated and frozen.
        targets: float64 n×7 outputs of the float student, in [0, 1].
        inputs: the n photos.
        title: of the progress bar.

    """
    weights, bias = _heads(prepared)
    watched = convert(with_head_inputs(prepared))
    quality, _, *read = lower(watched).run(inputs, title)
    # A position's value is linear in its features, so the mean over positions is all that the logit needs.
    features = np.concatenate([_pooled(block) for block in read], axis=1)
    wanted = logit(targets) - logit(quality[:, 0].astype(np.float64))
    penalty = _cross_validated(features, wanted)
    change, shift = ridge(features, wanted, penalty)
    start = 0
    for weight in weights:
        width = weight[0].numel()
        # The outputs' rows alone; hinges stay, and what their rounding does to the score is the score's to mend.
        outputs = weight[: len(change)]
        outputs += torch.from_numpy(change[:, start : start + width]).float().reshape(outputs.shape)
        start += width
    bias[: len(shift)] += torch.from_numpy(shift).float()


@torch.no_grad()
def shift_heads(prepared: Prepared, targets: np.ndarray, inputs: Inputs, title: str) -> None:
    """Shift the heads' bias alone, so that on ``inputs`` the mean logits are the float student's."""
    _, bias = _heads(prepared)
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
    """n×k features of what a head reads: n×1×k×h×w of a convolution, n×1×k of a linear layer."""
    return (block.mean((3, 4)) if block.ndim == 5 else block)[:, 0].astype(np.float64)


def head_nodes(prepared: Prepared) -> list[torch.fx.Node]:
    """The heads' convolutions and linear layers."""
    return [node for node in prepared.graph.nodes if is_head(node)]


def is_head(node: torch.fx.Node) -> bool:
    """Whether a node is a convolution or a linear layer of the heads."""
    return node.target in _HEAD_OPERATORS and module_of(node).startswith("heads.")


def _heads(prepared: Prepared) -> tuple[list[torch.nn.Parameter], torch.nn.Parameter]:
    tensors = dict(prepared.named_parameters())
    nodes = head_nodes(prepared)
    bias = next(tensors[node.args[2].target] for node in nodes if len(node.args) > 2 and node.args[2] is not None)
    return [tensors[node.args[1].target] for node in nodes], bias


def with_head_inputs(prepared: Prepared) -> Prepared:
    """The same graph with what each head reads as further outputs, sharing all tensors."""
    graph = torch.fx.Graph()
    copied: dict[torch.fx.Node, torch.fx.Node] = {}
    outputs = graph.graph_copy(prepared.graph, copied)
    graph.output((*outputs, *(copied[node.args[0]] for node in head_nodes(prepared))))
    watched = torch.fx.GraphModule(prepared, graph)
    watched.meta.update(prepared.meta)  # what tells the converter that this is a prepared graph
    return watched
