"""BatchNorms with frozen statistics as part of the convolutions before them: a trunk trains faster so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn


@dataclass(frozen=True)
class _Pair:
    """A convolution without bias and the BatchNorm behind it, which is ``parent``'s child ``name``."""

    convolution: nn.Conv2d
    norm: nn.BatchNorm2d
    parent: nn.Module
    name: str
    original: torch.Tensor

    @property
    def scale(self) -> torch.Tensor:
        return self.norm.weight / (self.norm.running_var + self.norm.eps).sqrt()

    def fold(self) -> None:
        scale = self.scale
        self.convolution.weight.mul_(scale[:, None, None, None])
        self.convolution.bias = nn.Parameter(self.norm.bias - self.norm.running_mean * scale)
        self.convolution.bias.requires_grad_(self.convolution.weight.requires_grad)
        # timm's BatchNormAct2d carries the activation.
        setattr(self.parent, self.name, getattr(self.norm, "act", nn.Identity()))

    def unfold(self) -> None:
        scale = self.scale
        if torch.equal(self.convolution.weight, self.original * scale[:, None, None, None]):
            self.convolution.weight.copy_(self.original)  # nothing moved it: no rounding either
        else:
            self.convolution.weight.div_(scale[:, None, None, None])
            self.norm.bias.copy_(self.convolution.bias + self.norm.running_mean * scale)
        self.convolution.bias = None
        setattr(self.parent, self.name, self.norm)


@contextmanager
def folded_batchnorms(network: nn.Module) -> Iterator[None]:
    """Within it, what ``network`` computes in evaluation mode is the same and its BatchNorms are gone; behind it they
    are back, and convolutions' weights and BatchNorms' biases hold what was learnt in between.

    A BatchNorm with a weight of 0 stays where it is. The network comes back to the device where it was folded before
    it is left; after an exception it is left as it is.
    """
    pairs = [pair for pair in _pairs(network) if bool((pair.scale != 0).all())]
    with torch.no_grad():
        for pair in pairs:
            pair.fold()
    yield
    with torch.no_grad():
        for pair in pairs:
            pair.unfold()


def _pairs(network: nn.Module) -> list[_Pair]:
    found = []
    for parent in network.modules():
        children = list(parent.named_children())
        for (_, first), (name, second) in pairwise(children):
            if isinstance(first, nn.Conv2d) and first.bias is None and isinstance(second, nn.BatchNorm2d):
                found.append(_Pair(first, second, parent, name, first.weight.detach().clone()))
    return found
