"""The packaged backbone, and BatchNorm made safe for quantization."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from distill.networks.backbone import lite0_backbone, lite2_backbone, make_batchnorm_quantization_safe


@pytest.fixture(scope="module")
def image() -> torch.Tensor:
    return torch.rand(1, 3, 96, 128, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("backbone", [lite0_backbone, lite2_backbone])
def test_the_packaged_weights_are_not_a_random_initialisation(backbone: Callable, image: torch.Tensor) -> None:
    with torch.no_grad():
        assert not torch.allclose(backbone()(image), backbone(pretrained=False)(image))


def test_a_safe_batchnorm_computes_what_it_computed_before(image: torch.Tensor) -> None:
    network = lite0_backbone()
    with torch.no_grad():
        before = network(image)
        after = make_batchnorm_quantization_safe(network)(image)
    assert (after - before).abs().max() < 1e-4 * before.abs().max()


def test_a_safe_batchnorm_has_the_eps_and_momentum_that_quantization_assumes() -> None:
    network = make_batchnorm_quantization_safe(lite0_backbone())
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms and all((norm.eps, norm.momentum, norm.num_batches_tracked) == (1e-5, 0.1, None) for norm in norms)


def test_without_the_cure_another_eps_would_change_the_network(image: torch.Tensor) -> None:
    network = lite0_backbone()
    with torch.no_grad():
        before = network(image)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = 1e-5  # what prepare_qat_pt2e does, without a word
        assert (network(image) - before).abs().max() > 1e-3


def test_a_variance_that_cannot_carry_the_difference_is_refused() -> None:
    norm = nn.BatchNorm2d(2, eps=1e-7)
    norm.running_var.zero_()
    with pytest.raises(ValueError, match="too small to carry"):
        make_batchnorm_quantization_safe(nn.Sequential(norm))
