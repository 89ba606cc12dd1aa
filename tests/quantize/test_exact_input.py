"""The input's grid: every pixel value survives int8, and the student computes what it did."""

from __future__ import annotations

import copy

import torch
from tiny_student import TinyStudent

from quantize.exact_input import INPUT_RANGE, make_input_exact

PIXELS = torch.arange(256) / 255


def rounded(values: torch.Tensor, lowest: float, highest: float) -> torch.Tensor:
    """Through int8 and back, by the scale and zero point of a range."""
    scale = (highest - lowest) / 255
    zero_point = -128 - round(lowest / scale)
    return ((values / scale).round() + zero_point).clamp(-128, 127).sub(zero_point) * scale


def test_all_256_pixel_values_survive_rounding_where_the_stock_grid_moves_each_by_half_a_step() -> None:
    stock = (PIXELS - 0.5) / 0.5
    assert (rounded(stock, -1.0, 1.0) - stock).abs().min() > 0.9 / 255
    moved = (PIXELS - (0.5 - 0.5 / 255)) / 0.5
    assert (rounded(moved, *INPUT_RANGE) - moved).abs().max() < 1e-6


def test_the_student_computes_what_it_did() -> None:
    student = TinyStudent().eval()
    exact = make_input_exact(copy.deepcopy(student))
    views = torch.rand(2, 3, 320, 320, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert exact.trunk.mean != student.trunk.mean
        assert torch.allclose(exact(views)[0], student(views)[0], atol=1e-4)
