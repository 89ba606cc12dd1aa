"""The student: EfficientNet-Lite0 read at every depth, over two views of a photo, with small float heads.

    student = Student()
    quality, quality_map = student(x)      # x: float32 2×3×320×320 in [0, 1], one photo

Why this shape (the measurements are in ``distill/experiments/RESULTS.md``):

- **Two views.** The whole photo at 320×320 shows composition and exposure; 320×320 pixels cut from the photo's
  centre at its own resolution are there for the blur and the noise that a strong reduction hides. On the photos
  at hand, of 1 megapixel at most, they gain nothing over one view of the same cost.
- **The means of every stage.** ImageNet training makes the network's last layer forget distortions. Heads on the
  stages' outputs rank photos of a source that they never saw far better than heads on the last layer, or on both.
- **Hidden units.** A linear score can be right about natural photos or fall along every ladder of degradations, not
  both. So the score's logit is linear, plus and minus a few hidden units over the same features.
- **Float heads.** Pooled features are averages over many positions, finer than the int8 step of what they
  average, so pooling and the final linear layers stay in float at a cost of under 1 % of the MACs.
"""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from pocketiqa.preprocess import PreprocessSpec
from torch import nn

from distill.contract import QualityNetwork
from distill.networks.backbone import IMAGENET_MEAN, IMAGENET_STD, lite0_backbone, make_batchnorm_quantization_safe
from distill.networks.exact_input import make_input_exact
from distill.networks.tensors import load_tensors

ATTRIBUTES = ("sharpness", "noise", "exposure", "contrast", "colour", "compression")
OUTPUTS = ("score", *ATTRIBUTES)
HIDDEN_UNITS = 16  # the first half add to the score's logit, the second take from it
INPUT_SPEC = PreprocessSpec(height=320, width=320, views=("whole", "detail"), reduction="halves")

SHIPPED_STUDENT = Path(__file__).parent / "weights" / "student.safetensors"

# Channels of the seven stages' outputs.
STAGE_CHANNELS = (16, 24, 40, 80, 112, 192, 320)
# Stages at 1/16 and 1/32 of the input: fine enough to say where a photo is bad, coarse enough to know what it is.
FIRST_MAPPED_STAGE = 3


# One view's pooled features: the late stages', which have a position, then the early ones'.
LOCAL_WIDTH = sum(STAGE_CHANNELS[FIRST_MAPPED_STAGE:])
EARLY_WIDTH = sum(STAGE_CHANNELS[:FIRST_MAPPED_STAGE])
WIDTH = LOCAL_WIDTH + EARLY_WIDTH


# A linear layer over pooled features: weight r×d and bias r.
Linear = tuple[torch.Tensor, torch.Tensor]


class Trunk(nn.Module):
    """The stem and the stages of a network of timm's EfficientNet family, without the layers after them."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.mean = IMAGENET_MEAN
        self.stem = nn.Sequential(network.conv_stem, network.bn1)
        self.stages = network.blocks

    def forward(self, views: torch.Tensor) -> list[torch.Tensor]:
        """One map a stage, V×C×h×w, for ``views`` of V×3×H×W in [0, 1]."""
        hidden = self.stem((views - self.mean) / IMAGENET_STD)
        maps = []
        for stage in self.stages:
            hidden = stage(hidden)
            maps.append(hidden)
        return maps


def spatial_mean(maps: torch.Tensor) -> torch.Tensor:
    """V×C×1×1 of V×C×h×w; the dimensions stay, or XNNPACK does not take the operator."""
    return maps.mean((2, 3), keepdim=True)


class Pool(nn.Module):
    """The stages' maps as local features and as whole-view features."""

    def forward(self, stages: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Features of V views.

        Returns:
            local: float32 V×``LOCAL_WIDTH``×h×w, the late stages at 1/32 of the input.
            early: float32 V×``EARLY_WIDTH``×1×1, the early stages' means.
        """
        width = stages[-1].shape[-1]
        finer = [nn.functional.avg_pool2d(stage, stage.shape[-1] // width) for stage in stages[FIRST_MAPPED_STAGE:5]]
        early = [spatial_mean(stage) for stage in stages[:FIRST_MAPPED_STAGE]]
        return torch.cat([*finer, *stages[5:]], dim=1), torch.cat(early, dim=1)


class Heads(nn.Module):
    """Heads: one 1×1 convolution on each view's local features and one linear layer on all the rest.

    The mean over positions of a linear function is that function of the mean, so this is one linear layer over
    pooled features, of 7 outputs and 16 hidden units; written so, the score's logit also comes out position by
    position, as a quality map.
    """

    def __init__(self, views: int = len(INPUT_SPEC.views)) -> None:
        super().__init__()
        rows = len(OUTPUTS) + HIDDEN_UNITS
        self.local = nn.ModuleList(nn.Conv2d(LOCAL_WIDTH, rows, 1, bias=False) for _ in range(views))
        self.early = nn.Linear(views * EARLY_WIDTH, rows)

    def forward(self, local: torch.Tensor, early: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits of the outputs, 1×7, and of the whole view's local score, 1×1×h×w."""
        by_position = [head(local[view : view + 1]) for view, head in enumerate(self.local)]
        means = [spatial_mean(rows) for rows in by_position]
        rows = self.early(early.reshape(1, -1))
        for mean in means:  # not sum(), whose integer 0 becomes a cast that XNNPACK does not take
            rows = rows + mean.flatten(1)
        logits = logits_of(rows)
        # What each position of the whole view adds to or takes from the score's logit: the mean over positions is
        # that logit, so the map and the score cannot contradict each other.
        score_map = by_position[0][:, :1] - means[0][:, :1] + logits[:, :1, None, None]
        return logits, score_map

    def linear(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The heads as one linear layer over ``Student.features``: what ``set_linear`` takes, with gradients."""
        local = torch.stack([head.weight[:, :, 0, 0] for head in self.local], dim=1)
        early = self.early.weight.unflatten(1, (len(self.local), EARLY_WIDTH))
        return torch.cat([local, early], dim=2).flatten(1), self.early.bias

    @torch.no_grad()
    def set_linear(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        """Take a linear layer over ``Student.features``: weight 23×(views·``WIDTH``), bias 23.

        The rows are the 7 outputs and then the 16 hidden units.
        """
        by_view = weight.reshape(len(OUTPUTS) + HIDDEN_UNITS, len(self.local), WIDTH)
        for view, head in enumerate(self.local):
            head.weight.copy_(by_view[:, view, :LOCAL_WIDTH, None, None])
        self.early.weight.copy_(by_view[:, :, LOCAL_WIDTH:].flatten(1))
        self.early.bias.copy_(bias)


def add_hidden_units(score: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    """The score's logit n×1 with what ``hidden``, n×16 values of linear functions, add (half of them) and take."""
    # Means over positions, since XNNPACK takes no sum.
    halves = spatial_mean(torch.relu(hidden).reshape(len(hidden), 2, -1, 1)).flatten(1) * (hidden.shape[1] / 2)
    return score + halves[:, :1] - halves[:, 1:]


def logits_of(rows: torch.Tensor) -> torch.Tensor:
    """Logits n×7 from the linear rows n×23, 7 outputs and 16 hidden units."""
    outputs, hidden = rows[:, : len(OUTPUTS)], rows[:, len(OUTPUTS) :]
    return torch.cat([add_hidden_units(outputs[:, :1], hidden), outputs[:, 1:]], dim=1)


def stack_heads(score: Linear, attributes: Linear) -> Linear:
    """What ``Heads.set_linear`` takes, from the score's row with its hidden units', 17×d, and the attributes', 6×d."""
    return tuple(torch.cat([own[:1], others, own[1:]]) for own, others in zip(score, attributes))


def quality_of(features: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Outputs n×7 in [0, 1] from pooled features n×d and the heads as one linear layer, 23×d."""
    return torch.sigmoid(logits_of(features @ weight.t() + bias))


class Student(QualityNetwork):
    """Score, attributes and map for one photo.

    The forward pass takes float32 V×3×320×320 in [0, 1] (``INPUT_SPEC``) and returns ``quality``, 1×7 in [0, 1]
    (``OUTPUTS``, higher is better), and ``map``, 1×10×10 in [0, 1], local quality over the whole view.
    """

    name = "lite0"
    input = INPUT_SPEC
    attributes = ATTRIBUTES
    map_shape = (10, 10)
    # The stem and the first depthwise convolution: what these round in a flat area they round alike at every position,
    # and no mean over positions takes it out. Pooling and heads are averages, finer than int8's step.
    float_layers = (
        "pool",
        "heads",
        "trunk.stem.0",
        "trunk.stem.1.act",
        "trunk.stages.0.0.conv_dw",
        "trunk.stages.0.0.bn1.act",
    )
    heads_name = "heads"

    def __init__(self, pretrained: bool = True) -> None:
        super().__init__()
        self.trunk = Trunk(make_batchnorm_quantization_safe(lite0_backbone(pretrained)))
        self.pool = Pool()
        self.heads = Heads()

    def features(self, views: torch.Tensor) -> torch.Tensor:
        """Pooled features, V×``WIDTH``, of V views: what a linear head can be fitted to."""
        local, early = self.pool(self.trunk(views))
        return torch.cat([spatial_mean(local), early], dim=1).flatten(1)

    def logits_of(self, rows: torch.Tensor) -> torch.Tensor:
        """Logits n×7 from the heads' rows n×23."""
        return logits_of(rows)

    def with_exact_input(self) -> Student:
        """The same student over an input that int8 holds exactly."""
        own = copy.deepcopy(self)
        make_input_exact(own.trunk)
        return own

    def forward(self, views: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits, score_map = self.heads(*self.pool(self.trunk(views)))
        return torch.sigmoid(logits), torch.sigmoid(score_map).flatten(0, 1)


class StudentFeatures(nn.Module):
    """What a student's heads read, V×``WIDTH`` of V views: by default a new student's, of the packaged trunk."""

    def __init__(self, student: Student | None = None) -> None:
        super().__init__()
        self.student = student or Student()

    def forward(self, views: torch.Tensor) -> torch.Tensor:
        return self.student.features(views)


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
