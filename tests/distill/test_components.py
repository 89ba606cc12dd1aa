"""Whitened principal components of a teacher's features."""

from __future__ import annotations

import pytest
import torch

from distill.teacher.components import principal_components


@pytest.fixture(scope="module")
def features() -> torch.Tensor:
    """300 photos of 40 numbers that vary in five ways, each half as much as the one before, and a little noise."""
    generator = torch.Generator().manual_seed(0)
    ways = torch.randn(300, 5, generator=generator) * 0.5 ** torch.arange(5)
    directions = torch.linalg.qr(torch.randn(40, 5, generator=generator)).Q.t()
    return ways @ directions + 0.001 * torch.randn(300, 40, generator=generator)


def test_components_are_white_over_what_they_were_fitted_to_and_not_beyond(features: torch.Tensor) -> None:
    components = principal_components(features[:200], 5)
    inside = components.of(features[:200])
    assert inside.mean(0).abs().max() < 1e-3
    assert torch.allclose(inside.t() @ inside / 200, torch.eye(5), atol=1e-2)
    outside = components.of(features[200:])
    assert outside.shape == (100, 5) and outside.isfinite().all()
    assert not torch.allclose(outside.t() @ outside / 100, torch.eye(5), atol=1e-2)


def test_weights_fall_with_the_variance_and_have_a_mean_of_one(features: torch.Tensor) -> None:
    components = principal_components(features, 5)
    assert bool((components.weights.diff() < 0).all()) and components.weights.mean().item() == pytest.approx(1)
    assert 0.99 < components.explained <= 1.001
    assert principal_components(features, 2).explained < components.explained


def test_there_are_no_more_than_the_photos_give_and_the_same_seed_gives_the_same(features: torch.Tensor) -> None:
    first, again = (principal_components(features[:8], 128) for _ in range(2))
    assert first.of(features).shape == (300, 7) and torch.equal(first.directions, again.directions)


def test_the_callers_random_state_stays_as_it_was(features: torch.Tensor) -> None:
    before = torch.get_rng_state()
    principal_components(features, 5)
    assert torch.equal(torch.get_rng_state(), before)
