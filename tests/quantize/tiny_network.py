"""A user's own network in a file of its own, small enough that a whole command takes seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from distill.contract import QualityNetwork
from distill.networks.adapter import quality_network
from distill.networks.tensors import save_tensors


def build() -> QualityNetwork:
    """Two convolutions and a linear layer over 32×32 pixels, one score."""
    body = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, bias=False),
        nn.BatchNorm2d(8, eps=1e-3),
        nn.ReLU(inplace=True),
        nn.Conv2d(8, 8, 3, 2),
        nn.Hardswish(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 1),
    )
    return quality_network(body, name="own", size=32)


def other() -> QualityNetwork:
    """The same under another name."""
    network = build()
    network.name = "other"
    return network


def write_weights(path: Path, seed: int = 0) -> Path:
    """Random weights that give photos clearly different scores."""
    torch.manual_seed(seed)
    network = build()
    with torch.no_grad():
        network.body[-1].weight.mul_(30)
    save_tensors(network.weights_module.state_dict(), path, {})
    return path


def write_photos(folder: Path, photos: dict[str, np.ndarray], count: int = 24) -> Path:
    """Crops of photographs, and ``mos.csv`` with an opinion of each."""
    folder.mkdir(parents=True)
    for number in range(count):
        photo = list(photos.values())[number % len(photos)]
        Image.fromarray(photo[number * 4 : number * 4 + 70, number : number + 70]).save(folder / f"{number}.png")
    (folder / "mos.csv").write_text("\n".join(f"{number}.png,{number / count}" for number in range(count)))
    return folder
