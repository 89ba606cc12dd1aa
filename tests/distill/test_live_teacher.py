"""What a live CLIP teacher is made of: low-rank additions, scores by kernel and linear ridge, standardized targets."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from sklearn.kernel_ridge import KernelRidge as SklearnKernelRidge
from sklearn.linear_model import Ridge

from distill.stages.tune_tower import LinearScore
from distill.teacher.components import principal_components
from distill.teacher.kernel_ridge import fit_kernel_ridge
from distill.teacher.live import LiveTeacher
from distill.teacher.low_rank import add_low_rank, merge_low_rank, set_share
from distill.teacher.two_towers import TwoTowers


@pytest.fixture
def features() -> torch.Tensor:
    return torch.randn(60, 12, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 13) + 3


@pytest.fixture
def scores(features: torch.Tensor) -> torch.Tensor:
    return torch.sigmoid(torch.sin(features[:, 0]) + features[:, 1] / 4)


def test_the_kernel_ridge_is_scikit_learns(features: torch.Tensor, scores: torch.Tensor) -> None:
    seen, mos = features[:40], scores[:40]
    standard = ((features - seen.mean(0)) / (seen.std(0) + 1e-4)).double().numpy()
    theirs = SklearnKernelRidge(alpha=1.0, kernel="rbf", gamma=0.1 / 12)
    theirs.fit(standard[:40], (mos - mos.mean()).numpy())
    expected = theirs.predict(standard[40:]) + mos.mean().item()
    assert np.allclose(fit_kernel_ridge(seen, mos)(features[40:]).numpy(), expected, atol=1e-4)


def test_the_linear_score_is_scikit_learns_ridge(features: torch.Tensor, scores: torch.Tensor) -> None:
    standard = ((features - features.mean(0)) / (features.std(0) + 1e-4) / 12**0.5).double().numpy()
    theirs = Ridge(alpha=0.3).fit(standard, scores.double().numpy())
    assert np.allclose(LinearScore(features, scores)(features).numpy(), theirs.predict(standard), atol=1e-4)


@torch.no_grad()
def test_additions_change_nothing_until_they_learn_and_are_the_same_once_merged(tiny_vit: TwoTowers) -> None:
    visual, images = tiny_vit.model.visual, torch.rand(2, 3, 64, 64)
    before = visual(images)
    tuned = copy.deepcopy(visual)
    add_low_rank(tuned, 2)
    assert torch.allclose(tuned(images), before, atol=1e-6)
    learnt = {name: parameter for name, parameter in tuned.named_parameters() if parameter.requires_grad}
    assert all(name.endswith((".up", ".down")) for name in learnt) and len(learnt) == 8 * len(
        visual.transformer.resblocks
    )
    for name, parameter in learnt.items():
        if name.endswith(".up"):
            parameter.normal_(std=0.5)
    moved = tuned(images)
    assert not torch.allclose(moved, before, atol=1e-3)
    set_share(tuned, 0.0)
    assert torch.allclose(tuned(images), before, atol=1e-6)
    set_share(tuned, 1.0)
    merge_low_rank(tuned)
    assert torch.allclose(tuned(images), moved, atol=1e-5)
    assert set(tuned.state_dict()) == set(visual.state_dict())


def test_targets_are_components_and_then_two_scores_of_mean_0_and_deviation_1(
    features: torch.Tensor, scores: torch.Tensor
) -> None:
    photos = features.reshape(60, 3, 2, 2)
    read, read_tuned = (lambda images: images.flatten(1)), (lambda images: 2 * images.flatten(1))
    components = principal_components(features, 5)
    ridge, linear = fit_kernel_ridge(features, scores), LinearScore(2 * features, scores)
    teacher = LiveTeacher(read, read_tuned, components, ridge, linear, score_weight=20.0)
    both = teacher.scores(photos)
    assert torch.allclose(both, torch.stack([ridge(features), linear(2 * features)], dim=1))
    teacher.standardize(both)
    targets = teacher(photos)
    assert torch.allclose(targets[:, :5], components.of(features), atol=1e-5)
    assert torch.allclose(targets[:, 5:].mean(0), torch.zeros(2), atol=1e-4)
    assert torch.allclose(targets[:, 5:].std(0), torch.ones(2), atol=1e-2)
    assert teacher.weights.tolist() == pytest.approx([*components.weights.tolist(), 20, 20])
