"""Rounding in turn: on the grid, no worse than nearest on inputs that go together, the same on ones that do not."""

from __future__ import annotations

import pytest
import torch

from quantize import weight_rounding
from quantize.weight_rounding import round_in_turn


def correlated(groups: int, size: int) -> torch.Tensor:
    """Covariances of neighbours that are alike, as a photograph's pixels are."""
    distance = (torch.arange(size)[:, None] - torch.arange(size)[None]).abs()
    return (0.97**distance).float().expand(groups, size, size)


def error(rows: torch.Tensor, rounded: torch.Tensor, covariance: torch.Tensor) -> torch.Tensor:
    gap = rows - rounded
    return torch.einsum("grk,gkl,grl->", gap, covariance, gap)


def problem(groups: int, outputs: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    rows = torch.randn(groups, outputs, size, generator=torch.Generator().manual_seed(0))
    return rows, rows.abs().amax(-1) / 127


def test_every_weight_lies_on_the_grid_of_its_output() -> None:
    rows, scale = problem(3, 4, 9)
    steps = round_in_turn(rows, scale, correlated(3, 9)) / scale[:, :, None]
    assert torch.allclose(steps, steps.round(), atol=1e-3)
    assert steps.abs().max() <= 127.001


def test_it_loses_far_less_than_nearest_rounding_where_inputs_are_alike() -> None:
    rows, scale = problem(8, 4, 9)
    scale, covariance = scale * 4, correlated(8, 9)
    nearest = (rows / scale[:, :, None]).round().clamp(-127, 127) * scale[:, :, None]
    together = round_in_turn(rows, scale, covariance)
    assert error(rows, together, covariance) < 0.4 * error(rows, nearest, covariance)


def test_it_is_nearest_rounding_where_inputs_are_independent() -> None:
    rows, scale = problem(2, 3, 16)
    nearest = (rows / scale[:, :, None]).round().clamp(-127, 127) * scale[:, :, None]
    assert torch.allclose(round_in_turn(rows, scale, torch.eye(16).expand(2, 16, 16)), nearest)


def test_blocks_of_columns_round_as_one_column_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, scale = problem(2, 4, 25)
    whole = round_in_turn(rows, scale * 4, correlated(2, 25))
    monkeypatch.setattr(weight_rounding, "_BLOCK", 8)
    assert torch.allclose(round_in_turn(rows, scale * 4, correlated(2, 25)), whole)


def test_an_input_that_is_always_zero_does_no_harm() -> None:
    rows, scale = problem(1, 2, 4)
    covariance = torch.zeros(1, 4, 4)
    assert torch.isfinite(round_in_turn(rows, scale, covariance)).all()
