"""Scales and parameters that float16 holds exactly, so that a conversion to Core ML changes none of them.

Core ML keeps scales, biases and the weights of float layers in float16. Where the int8 graph's own numbers are on
float16's grid already, the package holds the same ones, and the two differ in their arithmetic alone: a bias or a scale
that is rounded on the way carries values over rounding borders in every layer behind it.
"""

from __future__ import annotations

import torch
from torchao.quantization.pt2e import (
    HistogramObserver,
    MinMaxObserver,
    MovingAverageMinMaxObserver,
    PerChannelMinMaxObserver,
)


class _ScaleOnGrid:
    """Rounds an observer's scale to float16; a range moves by a two-thousandth at most."""

    def _calculate_qparams(self, min_val: torch.Tensor, max_val: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        scale, zero_point = super()._calculate_qparams(min_val, max_val)
        return on_grid(scale), zero_point


class GridMinMaxObserver(_ScaleOnGrid, MinMaxObserver):
    """torchao's, with its scale on the grid, as are the others here."""


class GridMovingAverageObserver(_ScaleOnGrid, MovingAverageMinMaxObserver):
    pass


class GridHistogramObserver(_ScaleOnGrid, HistogramObserver):
    pass


class GridPerChannelObserver(_ScaleOnGrid, PerChannelMinMaxObserver):
    pass


def on_grid(tensor: torch.Tensor) -> torch.Tensor:
    """The nearest values that float16 holds, in the tensor's own type."""
    return tensor.half().to(tensor.dtype)


@torch.no_grad()
def put_parameters_on_grid(prepared: torch.fx.GraphModule) -> None:
    """Round every parameter of a prepared graph to float16's grid, in place.

    A weight that becomes int8 keeps its integer: the grid is finer than an int8 step by a factor of eight and more.
    """
    for parameter in prepared.parameters():
        parameter.copy_(on_grid(parameter))
