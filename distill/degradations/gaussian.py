"""The Gaussian that blurs, bleeds colours and finds edges in other kinds."""

from __future__ import annotations

import math

import torch
from kornia.filters import gaussian_blur2d


def blur_gaussian(images: torch.Tensor, sigma: float) -> torch.Tensor:
    """Gaussian blur of any B×C×H×W tensor; ``sigma`` in pixels, kernel cut at three sigma."""
    size = 2 * math.ceil(3 * sigma) + 1
    return gaussian_blur2d(images, (size, size), (sigma, sigma), border_type="replicate")
