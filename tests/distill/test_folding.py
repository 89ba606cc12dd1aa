"""BatchNorms folded for training: the same outputs within, and what was learnt stays behind."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from distill.networks.folding import folded_batchnorms
from distill.networks.student import Student


@pytest.fixture(scope="module")
def trunk() -> nn.Module:
    return Student().eval().trunk


def test_a_folded_trunk_computes_the_same_without_batchnorms_and_comes_back_to_the_bit(trunk: nn.Module) -> None:
    views = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    before = copy.deepcopy(trunk.state_dict())
    with torch.no_grad():
        expected = trunk(views)
        with folded_batchnorms(trunk):
            assert not any(isinstance(module, nn.BatchNorm2d) for module in trunk.modules())
            folded = trunk(views)
    for whole, own in zip(expected, folded):
        assert torch.allclose(own, whole, atol=1e-4 * float(whole.abs().max()))
    after = trunk.state_dict()
    assert list(after) == list(before) and all(torch.equal(after[name], before[name]) for name in before)


def test_what_a_folded_trunk_learns_stays_and_statistics_and_frozen_stages_do_not_move(trunk: nn.Module) -> None:
    trunk = copy.deepcopy(trunk).requires_grad_(True)
    trunk.stages[:3].requires_grad_(False)
    before = copy.deepcopy(trunk.state_dict())
    views = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    with folded_batchnorms(trunk):
        learnt = [parameter for parameter in trunk.stages.parameters() if parameter.requires_grad]
        sum(stage.square().mean() for stage in trunk(views)).backward()
        with torch.no_grad():
            for parameter in learnt:
                parameter -= 1e-3 * parameter.grad.sign()
            expected = trunk(views)
    with torch.no_grad():
        for whole, own in zip(expected, trunk(views)):
            assert torch.allclose(own, whole, atol=1e-3 * float(whole.abs().max()))
    moved = {name for name, tensor in trunk.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved and all(name.startswith("stages.") and int(name.split(".")[1]) >= 3 for name in moved)
    assert not any("running" in name for name in moved)


def test_a_batchnorm_that_silences_a_channel_stays() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1, bias=False), nn.BatchNorm2d(4)).eval()
    with torch.no_grad():
        network[1].weight[2] = 0
    with folded_batchnorms(network):
        assert isinstance(network[1], nn.BatchNorm2d)
