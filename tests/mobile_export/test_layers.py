"""Layers are laid side by side across graphs and packages, and an error shows in the layer that made it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import small_student
import torch
from pocketiqa import promises

from mobile_export.verify.diagnosis import Diagnosis, diagnose_program
from mobile_export.verify.layers import (
    Gap,
    LayerMismatch,
    gap,
    mil_chains,
    torch_chains,
    torch_layers,
    weight_error,
    weight_gaps,
)
from mobile_export.verify.mil_reference import MilProgram
from mobile_export.verify.rounding import border_falls, output_step

PHOTO = small_student.photos()[0]


def test_a_float_an_int8_graph_and_both_packages_have_the_same_layers(fp16: Path, w8a8: Path) -> None:
    counts = [len(torch_chains(g.module())) for g in (small_student.exported_float(), small_student.exported_int8())]
    counts += [len(mil_chains(MilProgram.read(path))) for path in (fp16, w8a8)]
    assert len(set(counts)) == 1 and counts[0] > 15


def test_a_layer_ends_behind_its_batchnorm_and_clamp_and_before_any_rounding() -> None:
    (first, *_) = torch_chains(small_student.exported_int8().module())
    assert [node.target.__name__.split(".")[0].rstrip("_") for node in first] == ["conv2d", "hardtanh"]
    layers = torch_layers(small_student.exported_float().module(), PHOTO)
    assert layers[0].name == "backbone.conv_stem" and layers[0].output.max() <= 6


def test_a_folded_batchnorm_is_in_the_weight(fp16: Path) -> None:
    gaps = weight_gaps(MilProgram.read(fp16), list(small_student.layers()))
    assert max(found.error for found in gaps) < promises.WEIGHTS


def test_another_number_of_layers_is_said_and_not_compared(fp16: Path) -> None:
    with pytest.raises(LayerMismatch, match="its graph"):
        weight_gaps(MilProgram.read(fp16), list(small_student.layers())[:-1])


def test_weights_of_zeros_agree_with_zeros_and_with_nothing_else() -> None:
    zeros = np.zeros((2, 3), dtype=np.float32)
    assert weight_error(zeros, zeros) == 0
    assert weight_error(zeros, zeros + np.float32(1e-3)) > 1


def test_what_float16_is_too_coarse_for_is_no_error_and_a_percent_is() -> None:
    small = np.random.default_rng(0).normal(scale=1e-5, size=1000).astype(np.float32)
    assert weight_error(small, small.astype(np.float16).astype(np.float32)) < promises.WEIGHTS
    assert weight_error(small, small * np.float32(1.01)) > promises.WEIGHTS


def test_an_output_that_is_not_finite_is_infinitely_far() -> None:
    assert gap("x", np.ones(3), np.array([1, np.nan, 1])).error == np.inf


def test_a_diagnosis_marks_the_first_layer_outside_and_shows_both_ranges() -> None:
    gaps = [Gap(name, error, (0, 1), (0, 2)) for name, error in (("a", 0.1), ("b", 0.9), ("c", 5.0))]
    shown = str(Diagnosis("x ↔ y", gaps, 0.5))
    assert "first of 3 over 0.5 is b" in shown and "> b" in shown and "[0, 1] → [0, 2]" in shown
    assert Diagnosis("x ↔ y", gaps, 9).first is None


def test_a_lowered_graph_is_seen_at_every_layer() -> None:
    (diagnosis,) = diagnose_program("fp32", Path(), small_student.exported_float(), PHOTO)
    assert len(diagnosis.gaps) == len(small_student.layers())
    assert diagnosis.first is None, str(diagnosis)


def test_the_output_step_grows_with_the_scale_of_the_last_rounding() -> None:
    class Rounded(torch.nn.Module):
        def __init__(self, scale: float) -> None:
            super().__init__()
            self.scale = scale

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            levels = torch.ops.quantized_decomposed.quantize_per_tensor(x, self.scale, 0, -128, 127, torch.int8)
            x = torch.ops.quantized_decomposed.dequantize_per_tensor(levels, self.scale, 0, -128, 127, torch.int8)
            return x.mean((2, 3)).sum(1, keepdim=True), x

    def step(scale: float) -> float:
        x = torch.rand(1, 4, 2, 2)
        return output_step(torch.export.export(Rounded(scale), (x,)).module(), [x.numpy()])

    # Four channels, each off by one step, add up by their squares.
    assert step(0.01) == pytest.approx(2 * 0.01)
    assert step(0.02) == pytest.approx(2 * 0.02)


def test_the_output_step_of_tokens_moves_channels_and_not_positions() -> None:
    class Tokens(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
            levels = torch.ops.quantized_decomposed.quantize_per_tensor(x, 0.01, 0, -128, 127, torch.int8)
            x = torch.ops.quantized_decomposed.dequantize_per_tensor(levels, 0.01, 0, -128, 127, torch.int8)
            # What a LayerNorm does: a shift of all channels at once is gone behind it.
            return ((x - x.mean(2, keepdim=True)).mean(1)[:, :1],)

    x = torch.rand(1, 6, 4)
    step = output_step(torch.export.export(Tokens(), (x,)).module(), [x.numpy()])
    # The first of four channels, off by one step, moves by three quarters of it; each of the others by a quarter.
    assert step == pytest.approx(0.01 * (0.75**2 + 3 * 0.25**2) ** 0.5, rel=1e-4)


def test_border_falls_move_an_output_by_a_step_and_spare_what_lies_between_borders() -> None:
    class Rounded(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
            levels = torch.ops.quantized_decomposed.quantize_per_tensor(x, 0.01, 0, -128, 127, torch.int8)
            x = torch.ops.quantized_decomposed.dequantize_per_tensor(levels, 0.01, 0, -128, 127, torch.int8)
            return (x.flatten(1),)

    x = torch.rand(1, 1, 40, 40, generator=torch.Generator().manual_seed(0))
    graph = torch.export.export(Rounded(), (x,)).module()

    def falls(photo: torch.Tensor) -> tuple[float, float]:
        return border_falls(graph, [photo.numpy()], graph(photo)[0].numpy())

    # What lies in the middle between two borders never falls, and one of many that lie anywhere does.
    assert falls(x)[0] == pytest.approx(0.01, rel=1e-3) and falls(x) == falls(x)
    assert falls(torch.full((1, 1, 40, 40), 0.05)) == (0.0, 0.0)


def test_a_float_graph_has_no_output_step() -> None:
    with pytest.raises(ValueError, match="rounds nothing"):
        output_step(small_student.exported_float().module(), [PHOTO])
