"""The int8 program's float heads in operators that give the same bits on every processor.

The int8 layers' integers are the same everywhere, and so are means over positions, additions, products and divisions,
which IEEE 754 rounds in one way. A matrix product is not: kernels split its sum as suits their registers. Nor is a
sigmoid, which each processor approximates in its own way. Between x86 and Arm the two moved scores by up to 6.6e-7.

Here the heads' logits are sums over positions, one after another, and the sigmoid is written out. The map stays as it
was: nobody compares it to the bit. It needs to know the heads: a network says which they are by ``heads_name``.
"""

from __future__ import annotations

import torch
from torch import nn

from distill.contract import QualityNetwork
from quantize.graph import head_nodes, outputs_of, with_head_inputs
from quantize.prepare import Prepared, convert

# exp(x) is exp(x / 32) to the power of 32, by five squarings; the series is that of small arguments.
_SQUARINGS = 5
_LARGEST = 16.0
_SERIES = (1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0, 1.0)


def with_portable_heads(prepared: Prepared, network: QualityNetwork) -> torch.export.ExportedProgram | None:
    """The int8 graph of a prepared network whose ``quality`` has the same bits wherever it runs.

    It computes what ``convert(prepared)`` does, but for float32's last places (1e-6 of an output). None for a network
    that names no heads.
    """
    if network.heads_name is None:
        return None
    with torch.no_grad():
        return torch.export.export(PortableHeads(prepared, network), (network.example(),))


class PortableHeads(nn.Module):
    """A converted network with its heads computed anew from what they read."""

    def __init__(self, prepared: Prepared, network: QualityNetwork) -> None:
        super().__init__()
        self.student = convert(with_head_inputs(prepared, network.heads_name)).module()
        self.outputs = outputs_of(prepared)
        self.logits_of = network.logits_of
        tensors = dict(prepared.named_parameters())
        self.products = nn.ModuleList()
        for node in head_nodes(prepared, network.heads_name):
            bias = tensors[node.args[2].target] if len(node.args) > 2 and node.args[2] is not None else None
            self.products.append(PortableLinear(tensors[node.args[1].target].detach().flatten(1), bias))

    def forward(self, views: torch.Tensor) -> tuple[torch.Tensor, ...]:
        values = self.student(views)
        rows = None
        for product, features in zip(self.products, values[self.outputs :]):
            if features.ndim == 3:  # tokens, 1×positions×K
                features = features.transpose(1, 2).unsqueeze(3)
            means = _spatial_mean(features) if features.ndim == 4 else features
            rows = product(means) if rows is None else rows + product(means)
        return portable_sigmoid(self.logits_of(rows)), *values[1 : self.outputs]


class PortableLinear(nn.Module):
    """A linear layer, K values to N, as the mean over K positions of an N-channel picture of products."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        super().__init__()
        self.register_buffer("weight", (weight * weight.shape[1])[None, :, :, None].contiguous())
        self.register_buffer("bias", None if bias is None else bias.detach()[None].clone())

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Float32 1×N of K values in any shape."""
        sums = _spatial_mean(values.reshape(1, 1, -1, 1) * self.weight).flatten(1)
        return sums if self.bias is None else sums + self.bias


def portable_sigmoid(x: torch.Tensor) -> torch.Tensor:
    """``exp(x) / (exp(x) + 1)`` within 1e-6, of float32, by clamps, products, sums and one division."""
    small = torch.clamp(x, -_LARGEST, _LARGEST) * (1 / 2**_SQUARINGS)
    power = small * _SERIES[0] + _SERIES[1]
    for coefficient in _SERIES[2:]:
        power = power * small + coefficient
    for _ in range(_SQUARINGS):
        power = power * power
    return power / (power + 1.0)


def _spatial_mean(maps: torch.Tensor) -> torch.Tensor:
    """V×C×1×1 of V×C×h×w; the dimensions stay, or XNNPACK does not take the operator."""
    return maps.mean((2, 3), keepdim=True)
