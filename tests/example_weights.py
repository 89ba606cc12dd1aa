"""Weights and photos for networks of a user's own: no hub is reachable, so tests make both within seconds.

A random network whose BatchNorms have seen photos and whose last layer reads what differs most between them gives
scores that spread and rank: enough to see what int8 does to them, and nothing that anybody should use.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pocketiqa.preprocess import preprocess
from torch import nn

from distill.contract import QualityNetwork
from distill.degradations.degrade import KINDS, degrade
from distill.networks.tensors import save_tensors
from tests.conftest import packaged_photos

_LEVELS = (0, 2, 5)
_BRANCH = 0.3
# Of every BatchNorm, in deviations: activations pass more than half of what they get. Where they cut half, a random
# network is chaotic: what one rounding changes has changed every value ten layers later, as in no trained network.
_SHIFT = 0.5
# Standard deviation of the logits: int8's promise is in scores, and these need not reach from 0 to 1.
_SPREAD = 0.4


def write_example_photos(folder: Path, count: int = 60) -> Path:
    """``count`` different crops of the packaged photographs, 240×200, as PNG files."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, pixels in enumerate(_crops(count)):
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return folder


def write_example_weights(network: QualityNetwork, out: Path, seed: int = 0) -> Path:
    """Weights for ``network`` that give photos different scores, as the safetensors that ``--weights`` takes."""
    torch.manual_seed(seed)
    views = _lessons(network)
    body, head = network.weights_module, network.get_submodule(network.heads_name)
    with torch.no_grad():
        for name, tensor in body.named_parameters():  # again, whatever the seed was when the network was built
            if tensor.ndim in (2, 4):
                nn.init.kaiming_normal_(tensor, nonlinearity="linear")
            elif tensor.ndim == 3:  # a transformer's positions
                tensor.normal_(std=0.02)
            elif name.endswith("bn3.weight"):  # a branch that adds little to its shortcut, as in a trained network
                tensor.fill_(_BRANCH)
        _settle_batchnorms(network, views)
        features = _inputs_of(head, network, views)
        # Along the direction in which photos differ most: there a random network's int8 noise weighs least.
        weight = torch.linalg.svd(features - features.mean(0), full_matrices=False).Vh[0]
        weight = weight * (_SPREAD / (features @ weight).std())
        head.weight.copy_(weight.expand_as(head.weight))
        head.bias.copy_(-(weight @ features.mean(0)).expand_as(head.bias))
    save_tensors(body.state_dict(), out, {})
    return out


def _crops(count: int) -> list[np.ndarray]:
    photos = list(packaged_photos().values())
    order = np.random.default_rng(0)
    crops = []
    for number in range(count):
        photo = photos[number % len(photos)]
        top, left = (int(order.integers(0, side - reach)) for side, reach in zip(photo.shape, (200, 240)))
        crops.append(np.ascontiguousarray(photo[top : top + 200, left : left + 240]))
    return crops


def _lessons(network: QualityNetwork) -> torch.Tensor:
    """Inputs n×views×3×H×W of crops, each at three levels of a kind of its own."""
    views = []
    for number, (kind, crop) in enumerate(zip(KINDS, _crops(len(KINDS)))):
        image = torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 255
        for level in _LEVELS:
            worse = degrade(image, kind, level, number) if level else image
            pixels = (worse[0].permute(1, 2, 0) * 255).round().byte().numpy()
            views.append(torch.from_numpy(preprocess(pixels, network.input)))
    return torch.stack(views)


def _settle_batchnorms(network: QualityNetwork, views: torch.Tensor) -> None:
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    if not norms:
        return
    for norm in norms:
        norm.bias.fill_(_SHIFT)
        norm.reset_running_stats()
        norm.momentum = None  # the plain average of all batches
    network.train()
    for batch in views.flatten(0, 1).split(24):
        network(batch)
    network.eval()


def _inputs_of(head: nn.Module, network: QualityNetwork, views: torch.Tensor) -> torch.Tensor:
    seen: list[torch.Tensor] = []
    hook = head.register_forward_pre_hook(lambda module, arguments: seen.append(arguments[0]))
    for one in views:
        network(one)
    hook.remove()
    return torch.cat(seen)
