"""The input's grid: every pixel value survives int8, and the student computes what it did."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_student import TinyStudent, tiny_inputs

from quantize.prepare import enable_fake_quant, prepare
from quantize.ptq import calibrate
from quantize.state import labelled_fake_quantizers

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
    assert (rounded(moved, -1 + 1 / 255, 1 + 1 / 255) - moved).abs().max() < 1e-6


def test_the_input_is_rounded_by_the_range_of_all_pixels_whatever_photos_hold(photos: dict[str, np.ndarray]) -> None:
    prepared = prepare(TinyStudent().eval())
    calibrate(prepared, [views * 0.3 for views in tiny_inputs(photos, 2)])
    (pixels,) = (one for label, one in labelled_fake_quantizers(prepared).items() if label == "trunk.div")
    moved = (PIXELS - (0.5 - 0.5 / 255)) / 0.5
    with torch.no_grad():
        assert (pixels(moved) - moved).abs().max() < 1e-4  # of a step of 8e-3; its scale is a float16
    observer = pixels.activation_post_process
    assert (observer.min_val.item(), observer.max_val.item()) == pytest.approx((-1 + 1 / 255, 1 + 1 / 255), abs=1e-6)


def test_fixing_the_inputs_range_moves_no_other(photos: dict[str, np.ndarray]) -> None:
    views = next(iter(tiny_inputs(photos, 1)))
    dark = views * 0.1
    prepared = prepare(TinyStudent().eval())
    calibrate(prepared, [dark])
    watched = prepare(TinyStudent().eval())
    enable_fake_quant(watched, False)
    watched(dark)
    for label, fake_quant in labelled_fake_quantizers(watched).items():
        if label != "trunk.div":
            ours = labelled_fake_quantizers(prepared)[label].activation_post_process
            assert torch.equal(ours.max_val, fake_quant.activation_post_process.max_val), label


def test_the_student_computes_what_it_did() -> None:
    student = TinyStudent().eval()
    exact = student.with_exact_input()
    views = torch.rand(2, 3, 320, 320, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert exact.trunk.mean != student.trunk.mean
        assert torch.allclose(exact(views)[0], student(views)[0], atol=1e-4)
