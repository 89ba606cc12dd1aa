"""A frozen trunk's program gives what the network gives, and says when it is another."""

from __future__ import annotations

import torch
from eager_trunk import EagerTrunk
from pocketiqa.preprocess import PreprocessSpec
from torch import nn

from distill.training.frozen_trunk import FrozenTrunk

SPEC = PreprocessSpec(16, 16, views=("whole", "detail"))


def network(channels: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, channels, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def test_the_program_is_equal_to_the_network_within_a_ten_thousandth() -> None:
    views = torch.rand(SPEC.shape).numpy()
    program, other = (FrozenTrunk(network(channels), SPEC) for channels in (4, 5))
    assert abs(program(views) - EagerTrunk(network(4), SPEC)(views)).max() < 1e-4
    assert program.fingerprint != other.fingerprint
