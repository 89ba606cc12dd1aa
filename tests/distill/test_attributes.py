"""The attributes' heads: one falls along the ladders that harm it, and rows without a target say nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from distill.heads.attributes import AttributesConfig, fit_attributes
from distill.training.features import LadderFeatures

GENTLE = AttributesConfig(l2=0.002)
NATURAL = torch.randn(600, 12, generator=torch.Generator().manual_seed(0)) * 3 + 1


@pytest.fixture(scope="module")
def ladders() -> LadderFeatures:
    """Feature 7 is what the degradation moves; the first attribute is what it harms."""
    severity = torch.arange(300) % 6
    features = torch.randn(300, 12, generator=torch.Generator().manual_seed(1)) * 3 + 1
    features[:, 7] = 4 - 2 * severity
    targets = torch.ones(300, 6)
    targets[:, 0] = 1 - severity / 5
    return LadderFeatures(features, targets, torch.tensor([(0, 1)]))


def test_ladders_teach_the_attributes(ladders: LadderFeatures) -> None:
    weight, bias = fit_attributes(ladders, NATURAL, GENTLE)
    quality = torch.sigmoid(ladders.features @ weight.t() + bias)
    assert quality.shape == (300, 6)
    assert np.corrcoef(quality[:, 0], ladders.targets[:, 0])[0, 1] > 0.95
    assert (quality[:, 1:] - 1).abs().max() < 0.1


def test_a_photo_without_targets_teaches_nothing(ladders: LadderFeatures) -> None:
    unknown = torch.full((20, 6), torch.nan)
    more = LadderFeatures(
        torch.cat([ladders.features, torch.rand(20, 12)]), torch.cat([ladders.targets, unknown]), ladders.pairs
    )
    weight, _ = fit_attributes(more, NATURAL, GENTLE)
    assert torch.allclose(weight, fit_attributes(ladders, NATURAL, GENTLE)[0], atol=1e-4)


def test_a_stronger_penalty_gives_smaller_weights_and_the_same_data_the_same_heads(ladders: LadderFeatures) -> None:
    gentle, again = fit_attributes(ladders, NATURAL, GENTLE), fit_attributes(ladders, NATURAL, GENTLE)
    assert all(map(torch.equal, gentle, again))
    assert fit_attributes(ladders, NATURAL, replace(GENTLE, l2=10))[0].norm() < gentle[0].norm() / 2
