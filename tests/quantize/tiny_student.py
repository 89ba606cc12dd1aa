"""A student of two convolutions with the shipped one's signature: whole pipelines run on it in seconds."""

from __future__ import annotations

import copy

import numpy as np
import torch
from timm.layers import BatchNormAct2d
from torch import nn

from distill.contract import QualityNetwork
from distill.networks.exact_input import make_input_exact
from distill.networks.student import ATTRIBUTES, HIDDEN_UNITS, INPUT_SPEC, OUTPUTS, logits_of, spatial_mean
from quantize.calibration import Inputs
from quantize.recipe import TuningPhotos


class TinyTrunk(nn.Module):
    """Two stages, one of 8 channels at 1/4 and one of 16 at 1/32 of the input."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = 0.5
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 4, 1, bias=False), BatchNormAct2d(8, act_layer=nn.ReLU6))
        self.stages = nn.Sequential(nn.Conv2d(8, 16, 3, 8, 1, bias=False), BatchNormAct2d(16, act_layer=nn.ReLU6))

    def forward(self, views: torch.Tensor) -> list[torch.Tensor]:
        early = self.stem((views - self.mean) / 0.5)
        return [early, self.stages(early)]


class TinyHeads(nn.Module):
    """A linear layer on the means of the first stage, a convolution on the whole view's second."""

    def __init__(self) -> None:
        super().__init__()
        self.means = nn.Linear(16, len(OUTPUTS) + HIDDEN_UNITS)
        self.local = nn.Conv2d(16, len(OUTPUTS) + HIDDEN_UNITS, 1, bias=False)

    def forward(self, maps: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        by_position = self.local(maps[1][:1])
        rows = self.means(spatial_mean(maps[0]).reshape(1, -1)) + spatial_mean(by_position).flatten(1)
        return logits_of(rows), by_position[:, :1]


class TinyStudent(QualityNetwork):
    """Quality 1×7 and map 1×10×10 of 2×3×320×320."""

    name = "tiny"
    input = INPUT_SPEC
    attributes = ATTRIBUTES
    map_shape = (10, 10)
    float_layers = ("heads",)
    heads_name = "heads"

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.trunk, self.heads = TinyTrunk(), TinyHeads()
        with torch.no_grad():
            for parameter in self.heads.parameters():
                # Far enough apart that photos get clearly different scores, and no further.
                parameter[: len(OUTPUTS)] *= 10
                parameter[len(OUTPUTS) :] *= 3

    def logits_of(self, rows: torch.Tensor) -> torch.Tensor:
        return logits_of(rows)

    def with_exact_input(self) -> QualityNetwork:
        own = copy.deepcopy(self)
        make_input_exact(own.trunk)
        return own

    def forward(self, views: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits, score_map = self.heads(self.trunk(views))
        return torch.sigmoid(logits), torch.sigmoid(score_map).flatten(0, 1)


def tiny_inputs(photos: dict[str, np.ndarray], count: int) -> Inputs:
    """Crops of photos."""
    order = np.random.default_rng(0)
    crops = []
    for number in range(count):
        photo = list(photos.values())[number % len(photos)]
        views = []
        for _ in range(2):
            top, left = (int(order.integers(0, side - 200)) for side in photo.shape[:2])
            crop = np.kron(photo[top : top + 160, left : left + 160], np.ones((2, 2, 1), dtype=np.uint8))
            views.append(crop.transpose(2, 0, 1))
        crops.append(np.stack(views))
    return Inputs(np.stack(crops))


def tuning_photos(student: QualityNetwork, inputs: Inputs) -> TuningPhotos:
    """The inputs with what the float student says of them; the first six calibrate."""
    with torch.no_grad():
        targets = np.stack([student(views)[0][0].numpy() for views in inputs]).astype(np.float64)
    return TuningPhotos(inputs, targets, inputs.take(range(6)))
