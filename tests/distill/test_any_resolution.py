"""Image towers at sizes that they were not built for."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from distill.teacher.any_resolution import accept_any_resolution
from distill.teacher.two_towers import TwoTowers


def changed(towers: TwoTowers) -> tuple[nn.Module, nn.Module]:
    before = towers.model.visual
    after = copy.deepcopy(before)
    accept_any_resolution(after)
    return before, after


@torch.no_grad()
def test_the_attention_pool_equals_open_clips_where_its_position_is_zero(tiny_resnet: TwoTowers) -> None:
    tiny_resnet.model.visual.attnpool.positional_embedding.zero_()
    before, after = changed(tiny_resnet)
    image = torch.rand(2, 3, 64, 64)
    assert torch.allclose(before(image), after(image), atol=1e-5)


@torch.no_grad()
def test_a_vit_at_its_own_size_is_unchanged(tiny_vit: TwoTowers) -> None:
    before, after = changed(tiny_vit)
    image = torch.rand(2, 3, 64, 64)
    assert torch.allclose(before(image), after(image), atol=1e-6)


@torch.no_grad()
def test_a_vit_feels_where_a_patch_lies_on_a_grid_of_another_shape(tiny_vit: TwoTowers) -> None:
    _, after = changed(tiny_vit)
    left, right = torch.zeros(2, 1, 3, 96, 160)
    left[..., :32], right[..., -32:] = 1, 1
    assert not torch.allclose(after(left), after(right), atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("size", [(64, 64), (96, 160), (224, 32)])
def test_any_size_gives_finite_embeddings_of_one_width(
    tiny_resnet: TwoTowers, tiny_vit: TwoTowers, size: tuple[int, int]
) -> None:
    for towers in (tiny_resnet, tiny_vit):
        embedding = changed(towers)[1](torch.rand(2, 3, *size))
        assert embedding.shape == (2, 32) and embedding.isfinite().all()
