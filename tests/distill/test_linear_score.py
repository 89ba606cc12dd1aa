"""A linear score: recovers what is there, ignores what it may not use, orders ladders."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from distill.experiments.linear_score import LinearScoreConfig, fit_linear_score, linear_score
from distill.training.features import LadderFeatures, ScoredFeatures

GENTLE = LinearScoreConfig(l2=0.002)


@pytest.fixture(scope="module")
def opinions() -> ScoredFeatures:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(600, 12, generator=generator) * 3 + 1
    mos = torch.sigmoid(features[:, 0] * 0.4 - features[:, 5] * 0.2)
    return ScoredFeatures(features, mos, np.array(["a", "b", "c"] * 200))


def test_the_fit_recovers_a_linear_opinion(opinions: ScoredFeatures) -> None:
    score = linear_score(opinions.features, fit_linear_score(opinions, None, GENTLE))
    assert np.corrcoef(score, opinions.mos)[0, 1] > 0.98


def test_the_same_data_gives_the_same_heads(opinions: ScoredFeatures) -> None:
    first, second = fit_linear_score(opinions, None, GENTLE), fit_linear_score(opinions, None, GENTLE)
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])


def test_a_feature_that_may_not_be_used_gets_no_weight(opinions: ScoredFeatures) -> None:
    weight, _ = fit_linear_score(opinions, None, GENTLE, columns=np.arange(1, 12))
    assert weight[:, 0].abs().max() == 0 and weight[0, 5] < 0


def test_a_stronger_penalty_gives_smaller_weights(opinions: ScoredFeatures) -> None:
    gentle, strict = fit_linear_score(opinions, None, GENTLE), fit_linear_score(opinions, None, replace(GENTLE, l2=10))
    assert strict[0].norm() < gentle[0].norm() / 2


def test_heads_that_saw_one_source_each_do_not_lean_on_what_tells_the_sources_apart() -> None:
    generator = torch.Generator().manual_seed(2)
    features = torch.randn(600, 4, generator=generator)
    sources = np.array(["bad camera", "good camera"] * 300)
    camera = torch.tensor([0.0, 1.0] * 300)
    features[:, 3] = camera  # says where a photo comes from, and nothing about it within its source
    opinions = ScoredFeatures(features, torch.sigmoid(features[:, 0] * 0.5 + 2 * camera - 1), sources)
    together, _ = fit_linear_score(opinions, None, GENTLE)
    agreed, _ = fit_linear_score(opinions, None, replace(GENTLE, consensus=1.0))
    assert together[0, 3] > 1 and abs(agreed[0, 3]) < 0.1
    assert agreed[0, 0] > 0.25


def test_the_consensus_is_a_weight_average_of_the_two_fits(opinions: ScoredFeatures) -> None:
    together, _ = fit_linear_score(opinions, None, GENTLE)
    agreed, _ = fit_linear_score(opinions, None, replace(GENTLE, consensus=1.0))
    quarter, _ = fit_linear_score(opinions, None, replace(GENTLE, consensus=0.25))
    assert torch.allclose(quarter, 0.75 * together + 0.25 * agreed, atol=1e-5)


def test_one_source_has_no_consensus(opinions: ScoredFeatures) -> None:
    alone = ScoredFeatures(opinions.features, opinions.mos, np.full(len(opinions.mos), "only"))
    first, second = fit_linear_score(alone, None, GENTLE), fit_linear_score(alone, None, replace(GENTLE, consensus=0.5))
    assert torch.equal(first[0], second[0])


def test_ladders_teach_the_order_of_scores(opinions: ScoredFeatures) -> None:
    generator = torch.Generator().manual_seed(1)
    severity = torch.arange(300) % 6
    features = torch.randn(300, 12, generator=generator) * 3 + 1
    features[:, 7] = 4 - 2 * severity  # the feature that a degradation moves, and that opinions never saw matter
    pairs = torch.tensor([(row - 1, row) for row in range(300) if severity[row]])
    weight, _ = fit_linear_score(opinions, LadderFeatures(features, torch.ones(300, 6), pairs), GENTLE)
    without, _ = fit_linear_score(opinions, None, GENTLE)
    assert weight[0, 7] > without[0, 7] + 0.005
