"""What the blocks of CLIP's image tower know of a photo: statistics of their tokens.

Quality sits in the middle blocks and in how patches differ, not in the embedding, which was trained to forget both. So
of some blocks three vectors are read: the class token, the mean of the patch tokens, and their deviation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from open_clip.transformer import VisionTransformer
from pocketiqa.preprocess import PreprocessSpec
from torch import nn

from distill.teacher.any_resolution import accept_any_resolution
from distill.teacher.clip_tower import clip_tower

# The whole photo, and its centre at (nearly) native resolution; 224 is the size that the tower was trained at.
CLIP_INPUT = PreprocessSpec(height=224, width=224, views=("whole", "detail"), detail_short_side=448)
READ_BLOCKS = (3, 6, 9, 12)
STATISTICS_WIDTH = len(READ_BLOCKS) * 3 * 768  # three vectors of ViT-B's width


class BlockStatistics(nn.Module):
    """An open_clip vision transformer as statistics of some of its blocks' tokens.

    Args:
        visual: the tower; it takes other sizes than its own after ``accept_any_resolution``.
        blocks: numbers of the blocks that are read, the first is 1.
    """

    def __init__(self, visual: VisionTransformer, blocks: Sequence[int] = READ_BLOCKS) -> None:
        super().__init__()
        self.visual = visual
        self.blocks = tuple(blocks)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Float32 B×(blocks · 3 · width) of normalized ``images`` B×3×H×W: for each block the class token, then the
        patch tokens' mean and their deviation.
        """
        tokens = self.visual._embeds(images)
        read = []
        for number, block in enumerate(self.visual.transformer.resblocks, start=1):
            tokens = block(tokens)
            if number in self.blocks:
                read += token_statistics(tokens)
        return torch.cat(read, dim=1)


def token_statistics(tokens: torch.Tensor) -> list[torch.Tensor]:
    """Float32 B×width each: the class token of ``tokens`` B×(1 + n)×width, the patch tokens' mean and deviation."""
    patches = tokens[:, 1:].float()
    return [tokens[:, 0].float(), patches.mean(1), patches.std(1)]


def clip_trunk(pretrained: bool = True) -> BlockStatistics:
    """CLIP's ViT-B/16 as statistics of its blocks, B×``STATISTICS_WIDTH``, for normalized images of any size."""
    tower = clip_tower(pretrained)
    accept_any_resolution(tower)
    return BlockStatistics(tower)


def normalized(images: torch.Tensor) -> torch.Tensor:
    """Images B×3×H×W in [0, 1], or one, as CLIP was trained to see them."""
    mean, std = (
        torch.tensor(values, device=images.device).view(3, 1, 1) for values in (OPENAI_DATASET_MEAN, OPENAI_DATASET_STD)
    )
    return (images - mean) / std


class ClipFeatures:
    """CLIP's statistics as the feature cache takes them, in bfloat16 where the processor multiplies that faster.

    They agree with float32's to a cosine of .999.

    Attributes:
        input: how a photo becomes the views.
        fingerprint: of the weights, the blocks, the input and the precision.
    """

    input = CLIP_INPUT

    def __init__(self, statistics: BlockStatistics) -> None:
        able = torch.cpu.get_capabilities()
        self._precision = torch.bfloat16 if able.get("avx512_bf16") or able.get("amx_bf16") else torch.float32
        self._statistics = statistics.to(self._precision).eval()
        digest = hashlib.sha256(repr((statistics.blocks, self.input.to_dict(), str(self._precision))).encode())
        for name, tensor in sorted(self._statistics.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.float().numpy().tobytes())
        self.fingerprint = digest.hexdigest()

    @torch.no_grad()
    def __call__(self, views: np.ndarray) -> np.ndarray:
        """Float32 V·width statistics of one photo's views, float32 V×3×224×224 in [0, 1]."""
        return self._statistics(normalized(torch.from_numpy(views)).to(self._precision)).numpy().ravel()
