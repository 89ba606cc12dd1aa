"""The int8 program's outputs on a grid, so that every processor gives a photo the same score.

The trunk's integers are the same everywhere; the means and heads behind them are float, and processors sum floats in
different order, which changes an output by some 1e-7. Rounded to multiples of 2^-10, half of what int8 itself costs,
the outputs are equal to the bit unless one lies within that distance of a rounding border: once in some thousand.
"""

from __future__ import annotations

import torch

OUTPUT_GRID = 2.0**-10
# Float32 numbers from 2^13 to 2^14 lie 2^-10 apart: adding this one and taking it away again rounds to the grid, by the
# processor's own addition, where XNNPACK has no operator that rounds to nearest.
_ROUNDER = 1.5 * 2.0**13


class _OnGrid(torch.nn.Module):
    """A student whose ``quality`` lies on the grid; the map stays as it is."""

    def __init__(self, student: torch.fx.GraphModule) -> None:
        super().__init__()
        self.student = student

    def forward(self, views: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        quality, quality_map = self.student(views)
        return (quality + _ROUNDER) - _ROUNDER, quality_map


def on_output_grid(converted: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    """A float32 program with its first output, in [0, 1], rounded to multiples of ``OUTPUT_GRID``, ties to even.

    Not for float16, which does not hold the sum.
    """
    arguments, _ = converted.example_inputs
    with torch.no_grad():
        return torch.export.export(_OnGrid(converted.module()), arguments)
