"""Features of mean 0 and deviation 1 over the photos that something is fitted to."""

from __future__ import annotations

import torch
from torch import nn

_LEAST = 1e-4  # added to each deviation: what hardly varies is not blown up


class Standardization(nn.Module):
    """``(features - mean) * scale``, on the device of what it was made from.

    Attributes:
        mean, scale: float32 d; the scale is one over the deviation.
    """

    def __init__(self, features: torch.Tensor) -> None:
        """Take both from ``features`` float32 …×d, over all of its leading dimensions."""
        super().__init__()
        over = tuple(range(features.ndim - 1))
        self.register_buffer("mean", features.mean(over))
        self.register_buffer("scale", 1 / (features.std(over) + _LEAST))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Of the same shape, float32 …×d."""
        return (features - self.mean) * self.scale

    def over_raw(self, weight: torch.Tensor, bias: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The linear layer, k×d and k, over raw features that does what this one does over standardized ones."""
        weight = weight * self.scale
        return weight, bias - weight @ self.mean
