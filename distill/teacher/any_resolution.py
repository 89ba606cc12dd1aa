"""Image towers that take a photo at any resolution, in whole.

CLIP's towers are built for one square size; quality lies in pixels that a resize to it would lose.
"""

from __future__ import annotations

import torch
from open_clip.modified_resnet import AttentionPool2d
from open_clip.transformer import VisionTransformer
from torch import nn


class PositionFreeAttentionPool(nn.Module):
    """CLIP-ResNet's attention pool without its positional embedding, as in CLIP-IQA and QualiCLIP.

    Only the pooled token asks, since only its answer is used.
    """

    def __init__(self, pool: AttentionPool2d) -> None:
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj, self.c_proj = pool.q_proj, pool.k_proj, pool.v_proj, pool.c_proj
        self.num_heads = pool.num_heads

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """B×D of B×C×h×w, any h and w."""
        tokens = maps.flatten(2).transpose(1, 2)
        tokens = torch.cat([tokens.mean(1, keepdim=True), tokens], dim=1)
        query, key, value = (
            self._by_head(projection(part))
            for projection, part in ((self.q_proj, tokens[:, :1]), (self.k_proj, tokens), (self.v_proj, tokens))
        )
        attended = nn.functional.scaled_dot_product_attention(query, key, value)
        return self.c_proj(attended.transpose(1, 2).flatten(2))[:, 0]

    def _by_head(self, tokens: torch.Tensor) -> torch.Tensor:
        return tokens.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


class AnyGridVisionTransformer(VisionTransformer):
    """open_clip's ViT with its positional embedding interpolated to the image's grid of patches.

    Pixels beyond the last whole patch are not seen.
    """

    def _embeds(self, images: torch.Tensor) -> torch.Tensor:
        patches = self.conv1(images)
        position = self.positional_embedding.to(patches.dtype)
        grid = patches.shape[-2:]
        if tuple(grid) != tuple(self.grid_size):
            square = position[1:].t().unflatten(1, tuple(self.grid_size))[None]
            square = nn.functional.interpolate(square, size=tuple(grid), mode="bicubic", antialias=True)
            position = torch.cat([position[:1], square[0].flatten(1).t()])
        start = self.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
        tokens = torch.cat([start, patches.flatten(2).transpose(1, 2)], dim=1)
        return self.ln_pre(self.patch_dropout(tokens + position))


def accept_any_resolution(visual: nn.Module) -> None:
    """Change an open_clip image tower in place. Convolutional timm towers take any size already."""
    if isinstance(getattr(visual, "attnpool", None), AttentionPool2d):
        visual.attnpool = PositionFreeAttentionPool(visual.attnpool)
    if isinstance(visual, VisionTransformer):
        # The class alone changes: the same parameters, under the same names, in another forward pass.
        visual.__class__ = AnyGridVisionTransformer
