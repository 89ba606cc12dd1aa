"""A source's own mean: what it takes out of a fit, and what it leaves."""

from __future__ import annotations

import numpy as np
import torch

from distill.experiments.kernel_fits import fit_weights, squared_distances


def _kernel(n: int = 30) -> torch.Tensor:
    features = torch.randn(n, 5, generator=torch.Generator().manual_seed(0))
    return torch.exp(-0.3 * squared_distances(features, [features]))


def test_a_constant_added_to_one_sources_scores_moves_no_weight_where_sources_have_means() -> None:
    scores, sources = torch.linspace(0, 1, 30), np.repeat(["a", "b", "c"], 10)
    moved = scores + torch.from_numpy(sources == "b").float()
    with_means, moved_too = (fit_weights(_kernel(), values, sources, 1.0) for values in (scores, moved))
    torch.testing.assert_close(with_means, moved_too)
    same = np.zeros(30)
    without, moved_too = (fit_weights(_kernel(), values, same, 1.0) for values in (scores, moved))
    assert not torch.allclose(without, moved_too, atol=0.01)


def test_a_constant_added_to_all_scores_moves_no_weight() -> None:
    scores, same = torch.linspace(0, 1, 30), np.zeros(30)
    torch.testing.assert_close(
        fit_weights(_kernel(), scores, same, 1.0), fit_weights(_kernel(), scores + 7, same, 1.0), atol=1e-5, rtol=0
    )
    assert abs(float(fit_weights(_kernel(), scores, same, 1.0).sum())) < 1e-5


def test_distances_are_of_standardized_features() -> None:
    features = torch.randn(20, 3, generator=torch.Generator().manual_seed(1)) * torch.tensor([1.0, 10.0, 100.0])
    apart = squared_distances(features, [features])
    assert apart.diagonal().abs().max() < 1e-5
    standard = (features - features.mean(0)) / features.std(0)
    torch.testing.assert_close(apart[0, 1], (standard[0] - standard[1]).square().mean(), atol=1e-3, rtol=1e-3)
