"""A CLIP tower that learns a little: to each matrix of its blocks a product of two thin ones is added.

Thousands of opinions cannot move 86 million weights without spoiling what CLIP knows of other photos; a change of low
rank, from zero, keeps near it. LoRA, Hu et al., ICLR 2022, arXiv 2106.09685.
"""

from __future__ import annotations

import torch
from open_clip.transformer import VisionTransformer
from torch import nn
from torch.nn.utils import parametrize

_MATRICES = (("attn", "in_proj_weight"), ("attn.out_proj", "weight"), ("mlp.c_fc", "weight"), ("mlp.c_proj", "weight"))


class LowRank(nn.Module):
    """``weight + share · up · down``, where ``up`` starts at zero."""

    def __init__(self, weight: torch.Tensor, rank: int) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.randn(rank, weight.shape[1]) / weight.shape[1] ** 0.5)
        self.up = nn.Parameter(torch.zeros(weight.shape[0], rank))
        self.share = 1.0

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight + self.share * (self.up @ self.down).to(weight.dtype)


def add_low_rank(visual: VisionTransformer, rank: int) -> None:
    """Let ``visual`` learn, in place, through additions of ``rank`` to every matrix of its blocks, and nothing else."""
    visual.requires_grad_(False)
    for block in visual.transformer.resblocks:
        for place, name in _MATRICES:
            layer = block.get_submodule(place)
            addition = LowRank(getattr(layer, name), rank).to(getattr(layer, name).device)
            parametrize.register_parametrization(layer, name, addition)


def set_share(visual: nn.Module, share: float) -> None:
    """How much of what was learnt counts: 0 is the tower as it came, 1 all of it (WiSE-FT between them)."""
    for module in visual.modules():
        if isinstance(module, LowRank):
            module.share = share


def merge_low_rank(visual: nn.Module) -> None:
    """Make the additions part of the weights, in place: the tower has its own tensors again, and its own speed."""
    for module in list(visual.modules()):
        for name in list(getattr(module, "parametrizations", {})):
            parametrize.remove_parametrizations(module, name)
