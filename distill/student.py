"""The student: EfficientNet-Lite0 read at every depth, over two views of a photo, with float linear heads.

    student = Student()
    quality, quality_map = student(x)      # x: float32 2×3×320×320 in [0, 1], one photo

Why this shape (the measurements are in ``distill/README.md``):

- **Two views.** The whole photo at 320×320 shows composition and exposure; 320×320 pixels cut from the photo's
  centre at its own resolution keep the blur and the noise that the reduction would hide.
- **Every depth.** ImageNet training makes the last layer forget distortions; the means of the stages' outputs
  alone rank photos better than the last layer does. Each stage gives a mean and a mean absolute deviation:
  the latter keeps its precision in fp16 and in int8 where a variance would lose it.
- **Float heads.** Pooled features are averages over many positions, finer than the int8 step of what they
  average, so pooling and the final linear layer stay in float at a cost of under 1 % of the MACs.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch
from pocketiqa.preprocess import PreprocessSpec
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from distill.backbone import IMAGENET_MEAN, IMAGENET_STD, lite0_backbone, make_batchnorm_quantization_safe

ATTRIBUTES = ("sharpness", "noise", "exposure", "contrast", "colour", "compression")
OUTPUTS = ("score", *ATTRIBUTES)
INPUT_SPEC = PreprocessSpec(height=320, width=320, views=("whole", "detail"))

SHIPPED_STUDENT = Path(__file__).parent / "weights" / "student.safetensors"

# Channels of the seven stages' outputs and of the last 1×1 convolution.
STAGE_CHANNELS = (16, 24, 40, 80, 112, 192, 320)
TOP_CHANNELS = 1280
# Stages at 1/16 and 1/32 of the input: fine enough to say where a photo is bad, coarse enough to know what it is.
FIRST_MAPPED_STAGE = 3


@dataclass(frozen=True)
class FeatureLayout:
    """Where each group of one view's pooled features lies, in the order in which they are concatenated."""

    local: int = sum(STAGE_CHANNELS[FIRST_MAPPED_STAGE:]) + TOP_CHANNELS
    early: int = sum(STAGE_CHANNELS[:FIRST_MAPPED_STAGE])
    spread: int = sum(STAGE_CHANNELS)

    @property
    def overall(self) -> int:
        """Features of one view that have no position."""
        return self.early + self.spread

    @property
    def width(self) -> int:
        """Features of one view."""
        return self.local + self.overall


LAYOUT = FeatureLayout()


class Trunk(nn.Module):
    """EfficientNet-Lite0 that returns each stage's output and the last 1×1 convolution's."""

    def __init__(self, pretrained: bool = True) -> None:
        super().__init__()
        network = make_batchnorm_quantization_safe(lite0_backbone(pretrained))
        self.stem = nn.Sequential(network.conv_stem, network.bn1)
        self.stages = network.blocks
        self.top = nn.Sequential(network.conv_head, network.bn2)

    def forward(self, views: torch.Tensor) -> list[torch.Tensor]:
        """Eight maps of V×C×h×w for ``views`` of V×3×H×W in [0, 1]."""
        hidden = self.stem((views - IMAGENET_MEAN) / IMAGENET_STD)
        maps = []
        for stage in self.stages:
            hidden = stage(hidden)
            maps.append(hidden)
        maps.append(self.top(hidden))
        return maps


class Pool(nn.Module):
    """The maps of every depth as local features and as whole-view features."""

    def forward(self, maps: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Features of V views.

        Returns:
            local: float32 V×``LAYOUT.local``×h×w, the late stages and the top at 1/32 of the input.
            overall: float32 V×(``LAYOUT.early`` + ``LAYOUT.spread``)×1×1: early means, then every stage's spread.
        """
        *stages, top = maps
        width = top.shape[-1]
        late = [nn.functional.avg_pool2d(stage, stage.shape[-1] // width) for stage in stages[FIRST_MAPPED_STAGE:5]]
        local = torch.cat([*late, *stages[5:], top], dim=1)
        means = [spatial_mean(stage) for stage in stages]
        spreads = [spatial_mean((stage - mean).abs()) for stage, mean in zip(stages, means)]
        return local, torch.cat([*means[:FIRST_MAPPED_STAGE], *spreads], dim=1)


def spatial_mean(maps: torch.Tensor) -> torch.Tensor:
    """V×C×1×1 of V×C×h×w; the dimensions stay, or XNNPACK does not take the operator."""
    return maps.mean((2, 3), keepdim=True)


class Heads(nn.Module):
    """Linear heads: one 1×1 convolution on each view's local features and one linear layer on all the rest.

    The mean over positions of a linear function is that function of the mean, so this is one linear layer over
    pooled features; written so, the score's logit also comes out position by position, as a quality map.
    """

    def __init__(self, views: int = len(INPUT_SPEC.views)) -> None:
        super().__init__()
        self.local = nn.ModuleList(nn.Conv2d(LAYOUT.local, len(OUTPUTS), 1, bias=False) for _ in range(views))
        self.overall = nn.Linear(views * LAYOUT.overall, len(OUTPUTS))

    def forward(self, local: torch.Tensor, overall: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits of the outputs, 1×7, and of the whole view's local score, 1×1×h×w."""
        by_position = [head(local[view : view + 1]) for view, head in enumerate(self.local)]
        means = [spatial_mean(logits) for logits in by_position]
        logits = self.overall(overall.reshape(1, -1))
        for mean in means:  # not sum(), whose integer 0 becomes a cast that XNNPACK does not take
            logits = logits + mean.flatten(1)
        # What each position of the whole view adds to or takes from the score's logit: the mean over positions is
        # that logit, so the map and the score cannot contradict each other.
        score_map = by_position[0][:, :1] - means[0][:, :1] + logits[:, :1, None, None]
        return logits, score_map

    @torch.no_grad()
    def set_linear(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        """Take a linear layer over ``Student.features``: weight 7×(views·``LAYOUT.width``), bias 7."""
        by_view = weight.reshape(len(OUTPUTS), len(self.local), LAYOUT.width)
        for view, head in enumerate(self.local):
            head.weight.copy_(by_view[:, view, : LAYOUT.local, None, None])
        self.overall.weight.copy_(by_view[:, :, LAYOUT.local :].flatten(1))
        self.overall.bias.copy_(bias)


class Student(nn.Module):
    """Score, attributes and map for one photo.

    The forward pass takes float32 V×3×320×320 in [0, 1] (``INPUT_SPEC``) and returns ``quality``, 1×7 in [0, 1]
    (``OUTPUTS``, higher is better), and ``map``, 1×10×10 in [0, 1], local quality over the whole view.
    """

    def __init__(self, pretrained: bool = True) -> None:
        super().__init__()
        self.trunk = Trunk(pretrained)
        self.pool = Pool()
        self.heads = Heads()

    def features(self, views: torch.Tensor) -> torch.Tensor:
        """Pooled features, V×``LAYOUT.width``, of V views: what a linear head can be fitted to."""
        local, overall = self.pool(self.trunk(views))
        return torch.cat([spatial_mean(local), overall], dim=1).flatten(1)

    def forward(self, views: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits, score_map = self.heads(*self.pool(self.trunk(views)))
        return torch.sigmoid(logits), torch.sigmoid(score_map).flatten(0, 1)


def load_student(path: str | Path) -> Student:
    """A trained student from safetensors, in evaluation mode.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the tensors are not this student's.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no student at {path}; train one with: python -m distill student")
    student = Student(pretrained=False)
    load_tensors(student, path)
    return student.eval()


def save_tensors(tensors: dict[str, torch.Tensor], path: Path, metadata: dict[str, str]) -> None:
    """Write tensors as safetensors, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Cloned, because a graph may share one tensor between names and safetensors stores each name's own.
    own = {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(save(own, metadata))
    os.replace(partial, path)


def load_tensors(module: nn.Module, path: Path) -> None:
    """Fill a module from safetensors, every tensor and no other.

    Raises:
        ValueError: the file is no safetensors, or its names or shapes are not the module's.
    """
    try:
        loaded = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file: {error}") from None
    # The module's own state carries the format versions that safetensors does not; without them BatchNorm and
    # the observers take a file for one of an older format and ask for tensors that do not exist.
    state = module.state_dict()
    different = [name for name in state.keys() | loaded.keys() if _shape(state, name) != _shape(loaded, name)]
    if different:
        raise ValueError(
            f"{path} does not hold this network's weights: {len(different)} tensors differ in name or shape, "
            f"for example {min(different)!r}"
        )
    state.update(loaded)
    module.load_state_dict(state)


def _shape(tensors: dict[str, torch.Tensor], name: str) -> torch.Size | None:
    return tensors[name].shape if name in tensors else None
