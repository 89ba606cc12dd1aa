"""Outputs on a grid: near what they were, and in XNNPACK's one subgraph."""

from __future__ import annotations

import numpy as np
import torch
from pocketiqa.runtime import load_program
from torch import nn

from mobile_export.executorch import lower_to_xnnpack
from mobile_export.output_grid import OUTPUT_GRID, on_output_grid


class Ramp(nn.Module):
    """Passes the input's values on as its outputs, which an exporter does not see through; it has a weight, as students
    have."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.ones_(self.stem.weight)

    def forward(self, views: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        passed = self.stem(views)
        return passed.flatten(1) * 1.0, passed.flatten(0, 1) * 1.0


def on_grid(views: torch.Tensor) -> tuple[np.ndarray, np.ndarray, int]:
    """Quality, map and subgraphs of a lowered program."""
    lowered = lower_to_xnnpack(on_output_grid(torch.export.export(Ramp(), (torch.zeros(views.shape),))), {})
    quality, quality_map = load_program(lowered.buffer).run(views.numpy())
    return quality, quality_map, lowered.delegation.subgraphs


def test_a_lowered_program_rounds_its_outputs_to_the_nearest_multiple_and_leaves_its_map() -> None:
    inside = torch.rand(1, 1, 60, 80, generator=torch.Generator().manual_seed(0))
    borders = (torch.arange(64) + 0.5) * OUTPUT_GRID
    views = inside.clone()
    views.view(-1)[:64] = borders
    views.view(-1)[64:66] = torch.tensor([0.0, 1.0])
    quality, quality_map, subgraphs = on_grid(views)
    expected = np.round(views.flatten(1).numpy().astype(np.float64) / OUTPUT_GRID) * OUTPUT_GRID  # ties to even
    np.testing.assert_array_equal(quality, expected)
    np.testing.assert_array_equal(quality_map, views.flatten(0, 1).numpy())
    assert subgraphs == 1


def test_differences_in_the_last_place_vanish() -> None:
    views = torch.rand(1, 1, 60, 80, generator=torch.Generator().manual_seed(1))
    distance = (views / OUTPUT_GRID - 0.5).frac().abs()
    views[(distance < 0.01) | (distance > 0.99)] = 0.25  # on a border the last place decides
    plain, _, _ = on_grid(views)
    moved, _, _ = on_grid(views + 6.6e-7)
    np.testing.assert_array_equal(plain, moved)
