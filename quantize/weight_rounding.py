"""Weights rounded with their neighbours in mind: what one weight loses, the next ones make up for.

Rounding to the nearest value is best for a single weight and bad for a convolution over photographs, whose
neighbouring pixels are alike: nine small errors of one sign add up to a wrong gain. Each column of a kernel is
rounded in turn and its error moved onto the columns that follow, weighed by how they go together in real
activations. After Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
Transformers" (ICLR 2023), per layer and without labels; the mean error that is left goes into the layer's bias,
as in Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction" (ICCV 2019).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from quantize.graph import LINEAR
from quantize.prepare import Prepared, without_fake_quant

# Convolutions whose padding is in numbers; others, where a network has them, are rounded to nearest.
_ROUNDED = {torch.ops.aten.conv2d.default} | LINEAR
# Share of the mean variance that is added to every column's own, so that the inverse exists.
_DAMPING = 0.01
# Columns that pass their errors on one by one; a whole block of them passes its errors to the later ones at once.
_BLOCK = 1152


@dataclass
class _Layer:
    """A rounded layer and the moments of what it reads: G groups of K values behind each output.

    ``arguments`` are those of a convolution's ``unfold``, or None for a linear layer.
    """

    scale: torch.Tensor
    weight: nn.Parameter
    bias: nn.Parameter | None
    groups: int
    arguments: dict[str, object] | None
    n: int = 0
    first: torch.Tensor | float = 0.0
    second: torch.Tensor | float = 0.0

    def see(self, activation: torch.Tensor) -> None:
        """Add one input, of V×C×h×w or, for a linear layer, of …×K."""
        if self.arguments is None:
            columns = activation.reshape(1, -1, activation.shape[-1]).transpose(1, 2)
        else:
            columns = nn.functional.unfold(activation, self.weight.shape[2:], **self.arguments)
            columns = columns.transpose(0, 1).reshape(self.groups, -1, columns.shape[0] * columns.shape[2])
        self.n += columns.shape[-1]
        self.first = self.first + columns.sum(-1)
        self.second = self.second + columns @ columns.transpose(1, 2)

    def round(self) -> None:
        """Replace the weight by its rounded values and put the mean error into the bias."""
        mean = self.first / self.n
        covariance = self.second / self.n - mean[:, :, None] * mean[:, None, :]
        rows = self.weight.reshape(self.groups, -1, mean.shape[1])
        rounded = round_in_turn(rows, self.scale.reshape(self.groups, -1), covariance)
        if self.bias is not None:
            self.bias += ((rows - rounded) @ mean[:, :, None]).flatten()
        self.weight.copy_(rounded.reshape(self.weight.shape))


@torch.no_grad()
def round_weights(prepared: Prepared, inputs: Iterable[torch.Tensor]) -> None:
    """Round a calibrated graph's int8 convolutions and linear layers, in place, after the float activations."""
    layers = _layers(prepared)
    watcher = _Watcher(prepared, layers)
    with without_fake_quant(prepared):
        for views in inputs:
            watcher.run(views)
    for layer in layers.values():
        layer.round()


def round_in_turn(rows: torch.Tensor, scale: torch.Tensor, covariance: torch.Tensor) -> torch.Tensor:
    """Int8 multiples of ``scale`` near ``rows``, chosen column by column.

    Args:
        rows: G×R×K weights: R outputs of each group over its K inputs.
        scale: G×R, positive.
        covariance: G×K×K of the inputs.

    Returns:
        G×R×K, each value ``scale`` times an integer of -127 to 127.
    """
    size = covariance.shape[-1]
    variance = covariance.diagonal(dim1=1, dim2=2).mean(1).clamp_min(1e-12)
    damped = covariance.double() + (_DAMPING * variance.double())[:, None, None] * torch.eye(size, dtype=torch.double)
    inverse = torch.linalg.inv(damped)
    factor = torch.linalg.cholesky((inverse + inverse.transpose(1, 2)) / 2, upper=True).float()
    left, rounded, errors = rows.clone(), torch.empty_like(rows), torch.empty_like(rows)
    for start in range(0, size, _BLOCK):
        end = min(start + _BLOCK, size)
        for column in range(start, end):
            steps = (left[:, :, column] / scale).round().clamp(-127, 127)
            rounded[:, :, column] = steps * scale
            error = (left[:, :, column] - rounded[:, :, column]) / factor[:, column, column, None]
            left[:, :, column + 1 : end] -= error[:, :, None] * factor[:, None, column, column + 1 : end]
            errors[:, :, column] = error
        left[:, :, end:] -= errors[:, :, start:end] @ factor[:, start:end, end:]
    return rounded


def _layers(prepared: Prepared) -> dict[torch.fx.Node, _Layer]:
    tensors = dict(prepared.named_parameters())
    layers = {}
    for node in prepared.graph.nodes:
        if node.target not in _ROUNDED or node.args[1].op != "call_module":
            continue
        bias = node.args[2] if len(node.args) > 2 else None
        groups, arguments = 1, None
        if node.target not in LINEAR:
            stride, padding, dilation, groups = (*node.args[3:], *((1, 1), (0, 0), (1, 1), 1)[len(node.args[3:]) :])
            arguments = {"stride": stride, "padding": padding, "dilation": dilation}
        layers[node] = _Layer(
            scale=prepared.get_submodule(node.args[1].target).scale,
            weight=tensors[node.args[1].args[0].target],
            bias=None if bias is None else tensors[bias.target],
            groups=groups,
            arguments=arguments,
        )
    return layers


class _Watcher(torch.fx.Interpreter):
    """Runs the graph and shows each layer what it reads."""

    def __init__(self, prepared: Prepared, layers: dict[torch.fx.Node, _Layer]) -> None:
        super().__init__(prepared)
        self.layers = layers

    def run_node(self, n: torch.fx.Node) -> object:
        if n in self.layers:
            self.layers[n].see(self.env[n.args[0]])
        return super().run_node(n)
