"""A quality network that needs no training: ImageNet lite0's first stages, heads of a seeded kind, and its int8 state.

It has the shipped student's outputs, a score, six attributes and a map, and every kind of its layers; it converts and
lowers in a fifth of the time.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import skimage.data
import torch
from PIL import Image
from pocketiqa.files import sha256_of
from pocketiqa.preprocess import PreprocessSpec
from pocketiqa.promises import Promise
from sklearn.datasets import load_sample_image
from torch import nn

from distill.contract import QualityNetwork
from distill.networks.backbone import lite0_backbone, make_batchnorm_quantization_safe
from distill.networks.tensors import save_tensors
from mobile_export.verify.layers import GraphLayer, torch_layers
from quantize.prepare import Prepared, convert, prepare
from quantize.ptq import calibrate
from quantize.state import save_prepared

HEIGHT, WIDTH = 128, 160
STAGES, CHANNELS = 3, 40
METADATA = {"name": "small", "version": "0", "input": {"height": HEIGHT, "width": WIDTH}}
NETWORK = f"{__file__}:build"
# Untrained heads lose more to int8 than trained ones.
PROMISE = Promise(srcc=0.95, mean_abs=0.03)


class Double(nn.Module):
    """A module of its own, so that int8 takes its product, a scalar included."""

    def forward(self, photo: torch.Tensor) -> torch.Tensor:
        # A float literal: an integer one becomes a cast of a constant, which XNNPACK leaves outside.
        return photo * 2.0


class Pool(nn.Module):
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features.mean((2, 3), keepdim=True)


class SmallStudent(QualityNetwork):
    name = "small"
    input = PreprocessSpec(height=HEIGHT, width=WIDTH)
    attributes = ("sharpness", "noise", "exposure", "contrast", "colour", "compression")
    map_shape = (HEIGHT // 8, WIDTH // 8)
    float_layers = ("quality_head", "map_head", "pool")
    heads_name = "quality_head"

    def __init__(self, quantization_safe: bool = True) -> None:
        super().__init__()
        torch.manual_seed(0)
        backbone = lite0_backbone()
        # Three stages have every kind of layer.
        backbone.blocks = backbone.blocks[:STAGES]
        backbone.conv_head = backbone.bn2 = nn.Identity()
        self.twice = Double()
        self.backbone = make_batchnorm_quantization_safe(backbone) if quantization_safe else backbone
        self.pool = Pool()
        self.quality_head = nn.Linear(CHANNELS, 7)
        self.map_head = nn.Conv2d(CHANNELS, 1, 1)

    def forward(self, photo: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.backbone(self.twice(photo))
        quality = torch.sigmoid(self.quality_head(self.pool(features).flatten(1)))
        return quality, torch.sigmoid(self.map_head(features)).flatten(0, 1)


def build() -> SmallStudent:
    return SmallStudent()


def to_tensor(photo: np.ndarray) -> np.ndarray:
    resized = Image.fromarray(photo).convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(resized, np.float32).transpose(2, 0, 1)[None] / 255)


@cache
def photos() -> tuple[np.ndarray, ...]:
    """Six whole photographs and four crops of each: 30 inputs."""
    originals = [getattr(skimage.data, n)() for n in ("astronaut", "coffee", "chelsea", "rocket")]
    originals += [load_sample_image(n) for n in ("china.jpg", "flower.jpg")]
    views = []
    for photo in originals:
        h, w = photo.shape[0] // 2, photo.shape[1] // 2
        views += [photo, photo[:h, :w], photo[h:, :w], photo[:h, w:], photo[h:, w:]]
    return tuple(map(to_tensor, views))


@cache
def small_student() -> SmallStudent:
    """With heads along what varies most among the photos, so that its scores differ by more than what rounding adds."""
    network = SmallStudent().eval()
    with torch.no_grad():
        inputs = torch.cat([torch.from_numpy(photo) for photo in photos()])
        features = network.pool(network.backbone(network.twice(inputs))).flatten(1)
        centred = features - features.mean(0)
        directions = torch.linalg.svd(centred, full_matrices=False).Vh[:7]
        directions = directions[:1] + 0.3 * directions  # seven outputs, no two alike
        weight = directions / (centred @ directions.T).std(0)[:, None]
        network.quality_head.weight.copy_(weight)
        network.quality_head.bias.copy_(-weight @ features.mean(0))
    return network


@cache
def exported_float() -> torch.export.ExportedProgram:
    return torch.export.export(small_student(), (torch.from_numpy(photos()[0]),), strict=True)


@cache
def prepared() -> Prepared:
    """Calibrated on twelve of the photos, and frozen."""
    graph = prepare(small_student())
    with torch.no_grad():
        calibrate(graph, [torch.from_numpy(photo) for photo in photos()[:12]])
    return graph


@cache
def exported_int8() -> torch.export.ExportedProgram:
    return convert(prepared())


@cache
def layers() -> tuple[GraphLayer, ...]:
    """The float graph's layers on the first photo."""
    return tuple(torch_layers(exported_float().module(), photos()[0]))


def files_in(folder: Path) -> tuple[Path, Path]:
    """The float weights and the int8 state, as ``python -m mobile_export --network`` takes them."""
    return folder / "weights.safetensors", folder / "int8.safetensors"


def write_files(folder: Path) -> None:
    """Write both."""
    weights, int8 = files_in(folder)
    save_tensors(small_student().state_dict(), weights, {})
    record = {
        "weights_sha256": sha256_of(weights),
        "float_modules": sorted(SmallStudent.float_layers),
        "promise": PROMISE.to_dict(),
        "recipe": "PTQ",
        "calibration": {"n": 12, "sha256": "0" * 64},
        "command": "python -m quantize",
    }
    save_prepared(prepared(), int8, record)
