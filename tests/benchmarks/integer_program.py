"""A program whose outputs are int8 values, only rescaled: no float is summed after the input is quantized."""

from __future__ import annotations

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
    XNNPACKQuantizer,
    get_symmetric_quantization_config,
)
from executorch.exir import to_edge_transform_and_lower
from torch import nn
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e


class IntegerNetwork(nn.Module):
    """The student's kinds of layer: a strided, a depthwise and two pointwise convolutions around a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.expand = nn.Conv2d(16, 48, 1)
        self.depthwise = nn.Conv2d(48, 48, 5, padding=2, groups=48)
        self.project = nn.Conv2d(48, 16, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Float32 N×3×H×W to N×16×H/2×W/2."""
        hidden = torch.relu(self.stem(x))
        return hidden + self.project(torch.relu(self.depthwise(torch.relu(self.expand(hidden)))))


def integer_program(x: torch.Tensor) -> bytes:
    """The lowered network, with seeded weights and calibrated on ``x``."""
    torch.manual_seed(0)
    graph = torch.export.export(IntegerNetwork().eval(), (x,)).module()
    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    prepared = prepare_pt2e(graph, quantizer)
    prepared(x)
    converted = torch.export.export(convert_pt2e(prepared), (x,))
    return to_edge_transform_and_lower(converted, partitioner=[XnnpackPartitioner()]).to_executorch().buffer
