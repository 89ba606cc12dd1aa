"""What a backend does not take of a network is said by operator and with the cure."""

from __future__ import annotations

import pytest
import tiny_network
import torch
from pocketiqa.preprocess import PreprocessSpec
from torch import nn

from distill.contract import ContractError, QualityNetwork
from mobile_export.examples import mobilenetv3, resnet18, vit
from quantize.delegation import check_backend, float_operators


class Own(QualityNetwork):
    name = "own"
    input = PreprocessSpec(height=16, width=16)

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 1, 3)

    def forward(self, views: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (self.score(self.layer(views)),)


class Reciprocal(Own):
    def score(self, features: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid((1.0 / (features.abs() + 1.0)).mean((2, 3), keepdim=True).flatten(1))


class Branch(Own):
    def score(self, features: torch.Tensor) -> torch.Tensor:
        means = features.mean((2, 3))
        return torch.sigmoid(means if means.sum() > 0 else -means)


class Fourier(Own):
    def score(self, features: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(torch.fft.rfft2(features).abs().mean((2, 3)))


def test_a_network_that_xnnpack_takes_whole_has_its_float_operators_named_alone() -> None:
    program, limits = check_backend(tiny_network.build())
    assert program.subgraphs == 1 and program.outside == {}
    assert [limit.split(" of own")[0] for limit in limits] == ["hardswish ×1"]


def test_an_operator_outside_the_backend_is_named_with_its_cure() -> None:
    program, limits = check_backend(Reciprocal())
    assert program.outside == {"reciprocal": 1}
    assert "does not take reciprocal ×1 of own" in limits[0] and "write a / b with two tensors" in limits[0]


@pytest.mark.parametrize(("network", "message"), [(Branch, "torch.where chooses"), (Fourier, "aten.abs")])
def test_a_network_that_cannot_be_exported_is_refused_with_the_reason(
    network: type[QualityNetwork], message: str
) -> None:
    with pytest.raises(ContractError, match=message):
        check_backend(network())


@pytest.mark.parametrize(
    ("example", "left_float"),
    [
        (mobilenetv3, {"hardsigmoid", "hardswish"}),
        (resnet18, set()),
        (vit, {"gelu", "layer_norm", "matmul", "softmax"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_examples_say_what_stays_float_in_int8(example: object, left_float: set[str]) -> None:
    assert set(float_operators(example.build())) == left_float
