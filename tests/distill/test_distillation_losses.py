"""Stage C's terms: zero for a perfect copy of the teacher, a gradient towards it otherwise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from distill.stages.distillation_losses import (
    confidence,
    embedding_mse,
    grade_divergence,
    pair_divergence,
    privileged_scores,
)

GENERATOR = torch.Generator().manual_seed(0)
GRADES = torch.rand(2, 6, 5, generator=GENERATOR).softmax(2)
PAIRS = torch.rand(2, 6, 7, generator=GENERATOR)
UNIT = torch.nn.functional.normalize(torch.randn(2, 6, 8, generator=GENERATOR), dim=2)
TERMS = [(embedding_mse, UNIT), (grade_divergence, GRADES), (pair_divergence, PAIRS)]


@pytest.mark.parametrize(("term", "values"), TERMS)
def test_a_perfect_copy_costs_nothing_and_another_costs_in_every_row(term: Callable, values: torch.Tensor) -> None:
    student, teacher = values
    assert term(teacher, teacher).abs().max() < 1e-5
    assert term(student, teacher).shape == (6,) and term(student, teacher).min() > 1e-4


@pytest.mark.parametrize(("term", "values"), TERMS)
def test_a_step_down_the_gradient_comes_nearer_to_the_teacher(term: Callable, values: torch.Tensor) -> None:
    student = values[0].clone().requires_grad_(True)
    loss = term(student, values[1]).sum()
    loss.backward()
    assert student.grad.norm() > 0
    step = 1e-3 / student.grad.norm()
    assert term(student.detach() - step * student.grad, values[1]).sum() < loss


def test_certainty_of_probability_zero_or_one_stays_finite() -> None:
    sure, never = torch.tensor([[1.0, 0, 0, 0, 0]]), torch.tensor([[0, 0, 0, 0, 1.0]])
    assert grade_divergence(never, sure).isfinite().all()
    assert pair_divergence(never, sure).isfinite().all()


def test_a_teacher_that_knows_nothing_has_no_confidence_and_a_sure_one_all() -> None:
    grades = torch.tensor([[0.2] * 5, [0, 0, 0, 0, 1.0], [0, 0, 0.5, 0.5, 0]])
    unsure, sure, between = confidence(grades)
    assert unsure == pytest.approx(0, abs=1e-4) and sure == pytest.approx(1, abs=1e-4)
    assert unsure < between < sure


def test_privileged_scores_fall_keep_their_mean_and_leave_a_falling_ladder_alone() -> None:
    falls = np.array([0.9, 0.7, 0.6, 0.2])
    assert privileged_scores(falls).tolist() == pytest.approx(falls)
    seen = np.array([0.6, 0.8, 0.5, 0.55, 0.1])
    known = privileged_scores(seen)
    assert (np.diff(known) <= 0).all() and known.mean() == pytest.approx(seen.mean())


def test_the_squared_error_of_unit_embeddings_is_their_angle() -> None:
    student, teacher = UNIT
    assert torch.allclose(embedding_mse(student, teacher), 2 / 8 * (1 - (student * teacher).sum(1)), atol=1e-6)
