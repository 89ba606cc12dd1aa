"""The int8 program's float heads in operators that give the same bits on every processor.

The trunk's integers are the same everywhere, and so are means over positions, additions, products and divisions, which
IEEE 754 rounds in one way. A matrix product is not: kernels split its sum as suits their registers. Nor is a sigmoid,
which each processor approximates in its own way. Between x86 and Arm the two moved scores by up to 6.6e-7.

Here the heads' logits are sums over positions, one after another, and the sigmoid is written out. The map stays as it
was: nobody compares it to the bit.
"""

from __future__ import annotations

import torch
from torch import nn

from distill.networks.student import INPUT_SPEC, logits_of, spatial_mean
from quantize.prepare import Prepared, convert
from quantize.refit_heads import head_nodes, with_head_inputs

# exp(x) is exp(x / 32) to the power of 32, by five squarings; the series is that of small arguments.
_SQUARINGS = 5
_LARGEST = 16.0
_SERIES = (1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0, 1.0)


def with_portable_heads(prepared: Prepared) -> torch.export.ExportedProgram:
    """The int8 graph of a prepared student whose ``quality`` has the same bits wherever it runs.

    It computes what ``convert(prepared)`` does, but for float32's last places (1e-6 of an output).
    """
    with torch.no_grad():
        return torch.export.export(PortableHeads(prepared), (torch.rand(INPUT_SPEC.shape),))


class PortableHeads(nn.Module):
    """A converted student with its heads computed anew from what they read."""

    def __init__(self, prepared: Prepared) -> None:
        super().__init__()
        self.student = convert(with_head_inputs(prepared)).module()
        tensors = dict(prepared.named_parameters())
        self.products = nn.ModuleList()
        for node in head_nodes(prepared):
            bias = tensors[node.args[2].target] if len(node.args) > 2 and node.args[2] is not None else None
            self.products.append(PortableLinear(tensors[node.args[1].target].detach().flatten(1), bias))

    def forward(self, views: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        _, quality_map, *read = self.student(views)
        rows = None
        for product, features in zip(self.products, read):
            means = spatial_mean(features) if features.ndim == 4 else features
            rows = product(means) if rows is None else rows + product(means)
        return portable_sigmoid(logits_of(rows)), quality_map


class PortableLinear(nn.Module):
    """A linear layer, K values to N, as the mean over K positions of an N-channel picture of products."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        super().__init__()
        self.register_buffer("weight", (weight * weight.shape[1])[None, :, :, None].contiguous())
        self.register_buffer("bias", None if bias is None else bias.detach()[None].clone())

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Float32 1×N of K values in any shape."""
        sums = spatial_mean(values.reshape(1, 1, -1, 1) * self.weight).flatten(1)
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
