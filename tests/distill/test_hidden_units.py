"""Hidden units: ladders fall that pull one feature both ways, and people's order of natural photos stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from distill.heads.hidden_units import HiddenUnitsConfig, fit_hidden_units, score_of
from distill.networks.student import (
    HIDDEN_UNITS,
    OUTPUTS,
    Linear,
    add_hidden_units,
    logits_of,
    quality_of,
    stack_heads,
)
from distill.training.features import LadderFeatures, ScoredFeatures

# Few features hold few weights: the penalties that suit 1,568 features would hold 12 at nothing.
GENTLE = HiddenUnitsConfig(l2=0.003, hidden_l2=0.003)


@pytest.fixture(scope="module")
def natural() -> ScoredFeatures:
    features = torch.randn(400, 12, generator=torch.Generator().manual_seed(0)) * 2 + 1
    return ScoredFeatures(features, torch.sigmoid(0.5 * (features[:, 0] - 1)), np.array(["a", "b"] * 200))


@pytest.fixture(scope="module")
def ladders() -> LadderFeatures:
    """Half of them move feature 7 up and half move it down: no linear score falls along both."""
    levels = torch.arange(240) % 6
    of_ladder = torch.arange(240) // 6
    copies = torch.randn(40, 12, generator=torch.Generator().manual_seed(1)).repeat_interleave(6, 0) * 2 + 1
    copies[:, 7] += torch.where(of_ladder % 2 == 0, 3.0, -3.0) * levels
    pairs = torch.tensor([(row - 1, row) for row in range(240) if levels[row]])
    return LadderFeatures(copies, torch.full((240, 6), torch.nan), pairs)


@pytest.fixture(scope="module")
def fitted(natural: ScoredFeatures, ladders: LadderFeatures) -> Linear:
    return fit_hidden_units(natural, ladders, GENTLE, seed=0)


def in_order(ladders: LadderFeatures, rows: Linear) -> float:
    milder, harsher = score_of(ladders.features, rows)[ladders.pairs.t()]
    return (milder > harsher).float().mean().item()


def test_ladders_fall_that_pull_one_feature_both_ways_and_a_linear_score_does_not(
    natural: ScoredFeatures, ladders: LadderFeatures, fitted: Linear
) -> None:
    linear = fit_hidden_units(natural, ladders, replace(GENTLE, hidden_l2=1000.0), seed=0)
    assert in_order(ladders, linear) < 0.6 < 0.85 < in_order(ladders, fitted)


def test_natural_photos_keep_the_order_that_people_gave_them(natural: ScoredFeatures, fitted: Linear) -> None:
    score = score_of(natural.features, fitted)
    assert np.corrcoef(score, natural.mos)[0, 1] > 0.9


def test_without_the_ladders_weight_they_do_not_fall(natural: ScoredFeatures, ladders: LadderFeatures) -> None:
    alone = fit_hidden_units(natural, ladders, replace(GENTLE, ranking=0.0), seed=0)
    assert in_order(ladders, alone) < 0.7
    assert np.corrcoef(score_of(natural.features, alone), natural.mos)[0, 1] > 0.97


def test_the_correlation_is_taken_within_each_source(natural: ScoredFeatures, ladders: LadderFeatures) -> None:
    shifted = natural.mos.clone()
    shifted[1::2] = 0.9 * shifted[1::2] + 0.1
    shifted[0::2] = 0.1 * shifted[0::2]
    opinions = ScoredFeatures(natural.features, shifted, natural.sources)

    def within(weight: float) -> float:
        rows = fit_hidden_units(opinions, ladders, replace(GENTLE, plcc=weight, ranking=0.0, l2=0.03), seed=0)
        score = score_of(opinions.features, rows)
        return float(np.mean([np.corrcoef(score[rows], shifted[rows])[0, 1] for rows in opinions.rows_by_source()]))

    assert within(0.3) > within(0.0)


def test_the_students_heads_hold_the_score_the_attributes_and_then_the_hidden_units(
    natural: ScoredFeatures, fitted: Linear
) -> None:
    attributes = torch.randn(6, 12, generator=torch.Generator().manual_seed(2)), torch.arange(6.0)
    weight, bias = stack_heads(fitted, attributes)
    assert weight.shape == (len(OUTPUTS) + HIDDEN_UNITS, 12) and bias.shape == (len(OUTPUTS) + HIDDEN_UNITS,)
    assert torch.equal(weight[1 : len(OUTPUTS)], attributes[0]) and torch.equal(bias[1 : len(OUTPUTS)], attributes[1])
    quality = quality_of(natural.features, weight, bias)
    assert torch.allclose(quality[:, 0], score_of(natural.features, fitted), atol=1e-6)
    own = torch.sigmoid(natural.features @ attributes[0].t() + attributes[1])
    assert torch.allclose(quality[:, 1:], own, atol=1e-6)


def test_half_of_the_hidden_units_add_and_half_take_and_the_other_outputs_are_left_as_they_are() -> None:
    rows = torch.randn(5, len(OUTPUTS) + HIDDEN_UNITS, generator=torch.Generator().manual_seed(0))
    logits = logits_of(rows)
    assert torch.equal(logits[:, 1:], rows[:, 1 : len(OUTPUTS)])
    opened = rows[:, len(OUTPUTS) :].clamp_min(0)
    expected = rows[:, 0] + opened[:, : HIDDEN_UNITS // 2].sum(1) - opened[:, HIDDEN_UNITS // 2 :].sum(1)
    assert torch.allclose(logits[:, 0], expected, atol=1e-5)
    assert torch.equal(add_hidden_units(rows[:, :1], -opened), rows[:, :1])


def test_the_same_data_and_seed_give_the_same_hidden_units_and_another_seed_gives_others(
    natural: ScoredFeatures, ladders: LadderFeatures
) -> None:
    short = replace(GENTLE, steps=20)
    first, second, other = (fit_hidden_units(natural, ladders, short, seed) for seed in (0, 0, 1))
    assert all(map(torch.equal, first, second))
    assert not torch.equal(first[0], other[0])
