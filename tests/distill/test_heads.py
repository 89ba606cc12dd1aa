"""Fitting linear heads: recovers what is there, ignores what it may not use, orders ladders."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from distill.heads import HeadConfig, Ladders, Opinions, fit_heads

GENTLE = HeadConfig(l2=0.002, attribute_l2=0.002)


@pytest.fixture(scope="module")
def opinions() -> Opinions:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(600, 12, generator=generator) * 3 + 1
    mos = torch.sigmoid(features[:, 0] * 0.4 - features[:, 5] * 0.2)
    return Opinions(features, mos, np.array(["a", "b", "c"] * 200))


def predicted(opinions: Opinions, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return torch.sigmoid(opinions.features @ weight[0] + bias[0])


def test_the_fit_recovers_a_linear_opinion(opinions: Opinions) -> None:
    score = predicted(opinions, *fit_heads(opinions, None, GENTLE))
    assert np.corrcoef(score, opinions.mos)[0, 1] > 0.98


def test_the_same_data_gives_the_same_heads(opinions: Opinions) -> None:
    first, second = fit_heads(opinions, None, GENTLE), fit_heads(opinions, None, GENTLE)
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])


def test_a_feature_that_may_not_be_used_gets_no_weight(opinions: Opinions) -> None:
    weight, _ = fit_heads(opinions, None, GENTLE, columns=np.arange(1, 12))
    assert weight[:, 0].abs().max() == 0 and weight[0, 5] < 0


def test_a_stronger_penalty_gives_smaller_weights(opinions: Opinions) -> None:
    gentle, strict = fit_heads(opinions, None, GENTLE), fit_heads(opinions, None, HeadConfig(l2=10))
    assert strict[0].norm() < gentle[0].norm() / 2


def test_ladders_teach_the_attributes_and_the_order_of_scores(opinions: Opinions) -> None:
    generator = torch.Generator().manual_seed(1)
    severity = torch.arange(300) % 6
    features = torch.randn(300, 12, generator=generator) * 3 + 1
    features[:, 7] = 4 - 2 * severity  # the feature that a degradation moves, and that opinions never saw matter
    targets = torch.ones(300, 6)
    targets[:, 0] = 1 - severity / 5
    pairs = torch.tensor([(row - 1, row) for row in range(300) if severity[row]])
    weight, bias = fit_heads(opinions, Ladders(features, targets, pairs), GENTLE)
    quality = torch.sigmoid(features @ weight.t() + bias)
    assert np.corrcoef(quality[:, 1], targets[:, 0])[0, 1] > 0.95
    without, _ = fit_heads(opinions, None, GENTLE)
    assert weight[0, 7] > without[0, 7] + 0.005
