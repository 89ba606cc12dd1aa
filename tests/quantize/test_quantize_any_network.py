"""Networks of a user's own become int8 through the contract, and rank photos as their float forms do."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
import tiny_network
import torch
from pocketiqa.preprocess import PreprocessSpec
from torch import nn

from distill.contract import QualityNetwork
from mobile_export.examples import mobilenetv3, resnet18, vit
from quantize.calibration import Inputs
from quantize.graph import head_nodes, module_of
from quantize.prepare import prepare, rounds, without_fake_quant
from quantize.recipe import Recipe, TuningPhotos, quantize
from quantize.state import labelled_fake_quantizers


@pytest.mark.parametrize("example", [mobilenetv3, resnet18, vit], ids=lambda module: module.__name__.split(".")[-1])
def test_an_examples_prepared_graph_is_the_network_and_each_fake_quantization_has_a_name_of_its_own(
    example: ModuleType,
) -> None:
    torch.manual_seed(0)
    network = example.build().eval()
    prepared = prepare(network)
    views = network.example()
    with without_fake_quant(prepared), torch.no_grad():
        assert torch.allclose(prepared(views)[0], network(views)[0], atol=1e-4)
    places = [node for node in prepared.graph.nodes if rounds(prepared, node)]
    assert len(labelled_fake_quantizers(prepared)) == len(places)


@pytest.mark.parametrize("eps", [1e-2, 1e-3, 1e-5, 1e-7])
def test_a_batchnorm_is_folded_exactly_whatever_its_eps(eps: float) -> None:
    network = tiny_network.build().eval()
    norm = network.body[1]
    norm.eps = eps
    norm.running_var.fill_(eps / 10)
    prepared = prepare(network)
    views = network.example()
    with without_fake_quant(prepared), torch.no_grad():
        assert torch.allclose(prepared(views)[0], network(views)[0], atol=1e-5)


def test_heads_and_the_pooling_before_them_stay_float() -> None:
    network = tiny_network.build().eval()
    prepared = prepare(network)
    rounded = {module_of(node.args[0]) for node in prepared.graph.nodes if rounds(prepared, node)}
    assert {"body.2", "body.3"} <= rounded and not {"body.5", "body.6", "body.7"} & rounded
    (head,) = head_nodes(prepared, network.heads_name)
    assert not any(rounds(prepared, source) for source in head.all_input_nodes)


class Headless(QualityNetwork):
    """Its score is no sum of linear heads: a product of two."""

    name = "headless"
    input = PreprocessSpec(height=16, width=16)
    float_layers = ("first", "second")

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, 2, bias=False), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.first, self.second = nn.Linear(8, 1), nn.Linear(8, 1)

    def forward(self, views: torch.Tensor) -> tuple[torch.Tensor, ...]:
        features = self.body(views)
        return (torch.sigmoid(self.first(features) * self.second(features)),)


def test_a_network_without_named_heads_keeps_them_and_a_layer_without_a_bias_is_rounded() -> None:
    network = Headless().eval()
    inputs = np.random.default_rng(0).integers(0, 256, (20, 1, 3, 16, 16), dtype=np.uint8)
    photos = Inputs(inputs)
    with torch.no_grad():
        targets = np.stack([network(views)[0][0].numpy() for views in photos]).astype(np.float64)
    prepared = quantize(network, TuningPhotos(photos, targets, photos.take(range(6))), Recipe(), "headless")
    weights = dict(prepared.named_parameters())
    for name in ("first.weight", "first.bias", "second.weight", "second.bias"):
        assert torch.allclose(weights[name], network.get_parameter(name), rtol=1e-3)  # but for float16's grid
    assert not torch.allclose(weights["body.0.weight"], network.body[0].weight, rtol=1e-3)
    with torch.no_grad():
        errors = [abs(prepared(views)[0].item() - target[0]) for views, target in zip(photos, targets)]
    assert max(errors) < 0.01
