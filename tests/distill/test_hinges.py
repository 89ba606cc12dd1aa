"""Hinges: ladders fall that pull one feature both ways, and people's order of natural photos stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from distill.heads.hidden_units import HingeConfig, fit_hinges
from distill.heads.linear import Ladders, Opinions
from distill.networks.student import HINGES, OUTPUTS, bend, logits_of, quality_of

Linear = tuple[torch.Tensor, torch.Tensor]
# Few features hold few weights: the penalties that suit 1,568 features would hold 12 at nothing.
GENTLE = HingeConfig(l2=0.003, hinge_l2=0.003)
ATTRIBUTES = (torch.randn(len(OUTPUTS), 12, generator=torch.Generator().manual_seed(2)), torch.arange(7.0))


@pytest.fixture(scope="module")
def natural() -> Opinions:
    features = torch.randn(400, 12, generator=torch.Generator().manual_seed(0)) * 2 + 1
    return Opinions(features, torch.sigmoid(0.5 * (features[:, 0] - 1)), np.array(["a", "b"] * 200))


@pytest.fixture(scope="module")
def ladders() -> Ladders:
    """Half of them move feature 7 up and half move it down: no linear score falls along both."""
    levels = torch.arange(240) % 6
    of_ladder = torch.arange(240) // 6
    copies = torch.randn(40, 12, generator=torch.Generator().manual_seed(1)).repeat_interleave(6, 0) * 2 + 1
    copies[:, 7] += torch.where(of_ladder % 2 == 0, 3.0, -3.0) * levels
    pairs = torch.tensor([(row - 1, row) for row in range(240) if levels[row]])
    return Ladders(copies, torch.full((240, 6), torch.nan), pairs)


@pytest.fixture(scope="module")
def fitted(natural: Opinions, ladders: Ladders) -> Linear:
    return fit_hinges(natural, ladders, ATTRIBUTES, GENTLE, seed=0)


def in_order(ladders: Ladders, rows: Linear) -> float:
    milder, harsher = quality_of(ladders.features, *rows)[:, 0][ladders.pairs.t()]
    return (milder > harsher).float().mean().item()


def test_ladders_fall_that_pull_one_feature_both_ways_and_a_linear_score_does_not(
    natural: Opinions, ladders: Ladders, fitted: Linear
) -> None:
    linear = fit_hinges(natural, ladders, ATTRIBUTES, replace(GENTLE, hinge_l2=1000.0), seed=0)
    assert in_order(ladders, linear) < 0.6 < 0.85 < in_order(ladders, fitted)


def test_natural_photos_keep_the_order_that_people_gave_them(natural: Opinions, fitted: Linear) -> None:
    score = quality_of(natural.features, *fitted)[:, 0]
    assert np.corrcoef(score, natural.mos)[0, 1] > 0.9


def test_without_the_ladders_weight_they_do_not_fall(natural: Opinions, ladders: Ladders) -> None:
    alone = fit_hinges(natural, ladders, ATTRIBUTES, replace(GENTLE, ranking=0.0), seed=0)
    assert in_order(ladders, alone) < 0.7
    assert np.corrcoef(quality_of(natural.features, *alone)[:, 0], natural.mos)[0, 1] > 0.97


def test_the_correlation_is_taken_within_each_source(natural: Opinions, ladders: Ladders) -> None:
    shifted = natural.mos.clone()
    shifted[1::2] = 0.9 * shifted[1::2] + 0.1
    shifted[0::2] = 0.1 * shifted[0::2]
    opinions = Opinions(natural.features, shifted, natural.sources)

    def within(weight: float) -> float:
        rows = fit_hinges(opinions, ladders, ATTRIBUTES, replace(GENTLE, plcc=weight, ranking=0.0, l2=0.03), seed=0)
        score = quality_of(opinions.features, *rows)[:, 0]
        return float(np.mean([np.corrcoef(score[rows], shifted[rows])[0, 1] for rows in opinions.rows_by_source()]))

    assert within(0.3) > within(0.0)


def test_the_attributes_rows_stay(fitted: Linear) -> None:
    weight, bias = fitted
    assert weight.shape == (len(OUTPUTS) + HINGES, 12) and bias.shape == (len(OUTPUTS) + HINGES,)
    assert torch.equal(weight[1 : len(OUTPUTS)], ATTRIBUTES[0][1:])
    assert torch.equal(bias[1 : len(OUTPUTS)], ATTRIBUTES[1][1:])
    assert not torch.equal(weight[0], ATTRIBUTES[0][0])


def test_half_of_the_hinges_add_and_half_take_and_outputs_alone_are_left_as_they_are() -> None:
    rows = torch.randn(5, len(OUTPUTS) + HINGES, generator=torch.Generator().manual_seed(0))
    logits = logits_of(rows)
    assert torch.equal(logits[:, 1:], rows[:, 1 : len(OUTPUTS)])
    opened = rows[:, len(OUTPUTS) :].clamp_min(0)
    expected = rows[:, 0] + opened[:, : HINGES // 2].sum(1) - opened[:, HINGES // 2 :].sum(1)
    assert torch.allclose(logits[:, 0], expected, atol=1e-5)
    assert torch.equal(bend(rows[:, :1], -opened), rows[:, :1])
    assert torch.equal(logits_of(rows[:, : len(OUTPUTS)]), rows[:, : len(OUTPUTS)])


def test_the_same_data_and_seed_give_the_same_hinges_and_another_seed_gives_others(
    natural: Opinions, ladders: Ladders
) -> None:
    short = replace(GENTLE, steps=20)
    first, second, other = (fit_hinges(natural, ladders, ATTRIBUTES, short, seed) for seed in (0, 0, 1))
    assert all(map(torch.equal, first, second))
    assert not torch.equal(first[0], other[0])
