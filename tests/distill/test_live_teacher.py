"""What a live CLIP teacher is made of: scores by kernel and linear ridge, low-rank additions, standardized targets."""

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


def test_targets_are_components_and_then_a_score_of_mean_0_and_deviation_1(
    features: torch.Tensor, scores: torch.Tensor
) -> None:
    photos = features.reshape(60, 3, 2, 2)
    components, ridge = principal_components(features, 5), fit_kernel_ridge(features, scores)
    teacher = LiveTeacher(lambda images: images.flatten(1), components, ridge)
    own = teacher.scores(photos)
    assert torch.allclose(own[:, 0], ridge(features))
    teacher.standardize(own)
    targets = teacher(photos)
    assert torch.allclose(targets[:, :5], components.of(features), atol=1e-5)
    assert targets[:, 5].mean().item() == pytest.approx(0, abs=1e-4)
    assert targets[:, 5].std().item() == pytest.approx(1, abs=1e-2)
