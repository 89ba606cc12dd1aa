"""Losses: zero in the ideal case, a gradient elsewhere."""

from __future__ import annotations

import math

import torch

from distill.training.losses import fidelity_loss, masked_mse, plcc_loss, ranking_loss, weighted_mean


def test_a_rising_line_has_no_correlation_loss_and_a_falling_one_has_all() -> None:
    target = torch.tensor([0.1, 0.4, 0.3, 0.9])
    assert plcc_loss(3 * target - 1, target) < 1e-5
    assert plcc_loss(1 - target, target) > 1 - 1e-5


def test_a_constant_prediction_has_a_finite_gradient() -> None:
    predicted = torch.full((4,), 0.5, requires_grad=True)
    plcc_loss(predicted, torch.tensor([0.1, 0.4, 0.3, 0.9])).backward()
    assert torch.isfinite(predicted.grad).all() and predicted.grad.abs().sum() > 0


def test_ordered_pairs_with_a_margin_cost_nothing_and_reversed_ones_do() -> None:
    better, worse = torch.tensor([0.8, 0.6]), torch.tensor([0.5, 0.2])
    assert ranking_loss(better, worse, margin=0.1) == 0
    assert ranking_loss(worse, better, margin=0.1) > 0.3


def test_unknown_targets_do_not_count() -> None:
    predicted = torch.tensor([[0.5, 0.1]], requires_grad=True)
    loss = masked_mse(predicted, torch.tensor([[1.0, math.nan]]))
    loss.backward()
    assert loss.item() == 0.25 and predicted.grad[0, 1] == 0


def test_no_known_target_at_all_is_no_loss() -> None:
    assert masked_mse(torch.ones(2), torch.full((2,), math.nan)) == 0


def test_the_same_preferences_cost_nothing_and_reversed_ones_do() -> None:
    target = torch.tensor([0.1, 0.5, 0.9])
    assert fidelity_loss(target + 0.1, target) < 1e-6  # preferences alone: an offset does not matter
    assert fidelity_loss(1 - target, target) > 2 * fidelity_loss(torch.full((3,), 0.5), target) > 0


def test_a_step_down_the_fidelity_loss_orders_a_tie() -> None:
    predicted = torch.full((2,), 0.5, requires_grad=True)
    fidelity_loss(predicted, torch.tensor([0.9, 0.1])).backward()
    assert predicted.grad[0] < 0 < predicted.grad[1]


def test_pairs_with_a_weightless_photo_do_not_count() -> None:
    target = torch.tensor([0.1, 0.5, 0.9])
    wrong_about_the_last = torch.tensor([0.1, 0.5, 0.0])
    assert fidelity_loss(wrong_about_the_last, target, torch.tensor([1.0, 1.0, 0.0])) < 1e-6
    assert fidelity_loss(wrong_about_the_last, target, torch.ones(3)) > 0.01
    assert weighted_mean(target, torch.zeros(3)) == 0
