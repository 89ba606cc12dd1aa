"""Stage A's losses: zero in the ideal case, a gradient elsewhere, the right order of clean and degraded."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from distill.degradations.degrade import degrade
from distill.stages.alignment_losses import consistency_loss, level_ranking_loss, symmetric_negatives_loss
from distill.teacher.teacher import Teacher

LEVELS = 4


def falling(step: float) -> torch.Tensor:
    """1 photo × 4 levels × 2 crops × 3 pairs, one step less similar at every level."""
    return (-step * torch.arange(LEVELS, dtype=torch.float32)).view(1, LEVELS, 1, 1).expand(1, LEVELS, 2, 3)


def test_crops_that_look_alike_cost_nothing_and_others_what_exceeds_the_margin() -> None:
    similarity = falling(0.1).clone()
    assert consistency_loss(similarity, margin=0.0) == 0
    similarity[:, :, 0] += 0.3
    assert consistency_loss(similarity, margin=0.1) == pytest.approx(0.2)


@pytest.mark.parametrize("sign", [1, -1])
def test_similarities_that_move_the_right_way_by_the_margin_cost_nothing_and_the_wrong_way_much(sign: int) -> None:
    assert level_ranking_loss(sign, sign * falling(0.1), margin=0.09) == 0
    assert level_ranking_loss(sign, -sign * falling(0.1), margin=0.09) > 0.2


def test_one_crop_out_of_order_costs_though_the_mean_of_both_is_in_order() -> None:
    similarity = falling(0.1).clone()
    similarity[0, 2, 0] += 0.15
    assert similarity.mean(2)[0, :, 0].diff().max() < 0
    assert level_ranking_loss(1, similarity, margin=0.0) > 0


def test_a_flat_ladder_has_a_gradient_that_separates_the_levels() -> None:
    similarity = torch.zeros(1, LEVELS, 2, 3, requires_grad=True)
    level_ranking_loss(1, similarity, margin=0.1).backward()
    by_level = similarity.grad.mean((0, 2, 3))
    assert by_level[0] < 0 < by_level[-1]  # descent raises the mildest and lowers the harshest


def test_a_ranking_over_one_level_is_refused() -> None:
    with pytest.raises(ValueError, match="two or more"):
        level_ranking_loss(1, torch.zeros(1, 1, 2, 3), margin=0.1)


def test_each_image_at_its_own_prompt_costs_nothing_and_swapped_ones_cost_all() -> None:
    one, other = torch.eye(4)[:1], torch.eye(4)[1:2]
    assert symmetric_negatives_loss(one, other, one, other, scale=100) < 1e-6
    assert symmetric_negatives_loss(other, one, one, other, scale=100) > 50


def test_a_step_down_the_losses_orders_a_clean_and_a_degraded_photo(
    tiny_teacher: Teacher, photos: dict[str, np.ndarray]
) -> None:
    clean = torch.from_numpy(photos["chelsea"][100:164, 100:164]).permute(2, 0, 1)[None].float() / 255
    images = torch.cat([clean, degrade(clean, "gaussian_blur", 5, 0)])
    tiny_teacher.visual.requires_grad_(True)
    optimizer = torch.optim.Adam(tiny_teacher.visual.parameters(), lr=1e-3)
    positive, negative = tiny_teacher.text()[0:14:2], tiny_teacher.text()[1:14:2]
    for _ in range(20):
        optimizer.zero_grad()
        embedding = tiny_teacher.embed(images)
        cosines = [(embedding @ side.t()).view(1, 2, 1, 7).expand(1, 2, 2, 7) for side in (positive, negative)]
        loss = level_ranking_loss(1, cosines[0], 0.05) + level_ranking_loss(-1, cosines[1], 0.05)
        (loss + symmetric_negatives_loss(embedding[:1], embedding[1:], positive, negative, 10)).backward()
        optimizer.step()
    with torch.no_grad():
        pairs = tiny_teacher(images).pairs.mean(1)
    assert pairs[0] > pairs[1] + 0.1
