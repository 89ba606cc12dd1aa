"""Blur: Gaussian, lens (a disc) and motion (a line). Borders are replicated."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from kornia.filters import filter2d

from . import randomness
from .gaussian import blur_gaussian

# A disc and a line are rasterised from this many points per pixel and axis.
SAMPLES_PER_PIXEL = 16


def gaussian_blur(images: torch.Tensor, sigma: float, seeds: Sequence[int]) -> torch.Tensor:
    """Isotropic Gaussian blur; ``sigma`` in pixels."""
    return blur_gaussian(images, sigma)


def lens_blur(images: torch.Tensor, radius: float, seeds: Sequence[int]) -> torch.Tensor:
    """Out-of-focus blur: a uniform disc of ``radius`` pixels; pixels on its rim weigh their share."""
    half = math.ceil(radius)
    size = 2 * half + 1
    fine = (torch.arange(size * SAMPLES_PER_PIXEL) + 0.5) / SAMPLES_PER_PIXEL - size / 2
    inside = (fine[:, None] ** 2 + fine[None, :] ** 2 <= radius**2).float()
    kernel = torch.nn.functional.avg_pool2d(inside[None], SAMPLES_PER_PIXEL)
    return filter2d(images, (kernel / kernel.sum()).to(images.device), border_type="replicate")


def motion_blur(images: torch.Tensor, length: float, seeds: Sequence[int]) -> torch.Tensor:
    """Linear motion over ``length`` pixels in a direction drawn for each image from all directions alike."""
    half = math.ceil(length / 2) + 1
    count = max(1, round(length * SAMPLES_PER_PIXEL))
    along = (torch.arange(count) + 0.5) / count * length - length / 2
    pixels = torch.arange(-half, half + 1)
    kernels = []
    for stream in randomness.generators(seeds):
        angle = math.pi * torch.rand((), generator=stream).item()
        # Each point of the line is shared bilinearly among the pixels around it.
        rows = (1 - (pixels[:, None] - along * math.sin(angle)).abs()).clamp(min=0)
        columns = (1 - (pixels[:, None] - along * math.cos(angle)).abs()).clamp(min=0)
        kernels.append(rows @ columns.T / count)
    return filter2d(images, torch.stack(kernels).to(images.device), border_type="replicate")
