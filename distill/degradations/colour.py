"""Colour: diffused chroma, a shifted green channel, and saturation in HSV and in CIE Lab."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from kornia.color import hsv_to_rgb, lab_to_rgb, rgb_to_grayscale, rgb_to_hsv, rgb_to_lab
from kornia.filters import spatial_gradient
from torch.nn import functional

from . import randomness
from .gaussian import blur_gaussian

EDGE_SPREAD = 4.0


def colour_diffusion(images: torch.Tensor, amount: float, seeds: Sequence[int]) -> torch.Tensor:
    """Lab chroma blurred by a Gaussian of 1.5·amount + 2 pixels, then times ``amount``: colours bleed."""
    lab = rgb_to_lab(images)
    chroma = amount * blur_gaussian(lab[:, 1:], 1.5 * amount + 2)
    return lab_to_rgb(torch.cat([lab[:, :1], chroma], dim=1))


def colour_shift(images: torch.Tensor, amount: float, seeds: Sequence[int]) -> torch.Tensor:
    """The green channel moved by ``amount`` pixels in a random direction, blended in near edges."""
    blend = _edge_mask(images)
    margin = math.ceil(amount)
    height, width = images.shape[-2:]
    padded = functional.pad(images[:, 1:2], (margin,) * 4, mode="replicate")
    moved = []
    for index, stream in enumerate(randomness.generators(seeds)):
        angle = 2 * math.pi * torch.rand((), generator=stream).item()
        top = margin + round(amount * math.sin(angle))
        left = margin + round(amount * math.cos(angle))
        moved.append(padded[index, :, top : top + height, left : left + width])
    green = torch.lerp(images[:, 1:2], torch.stack(moved), blend)
    return torch.cat([images[:, :1], green, images[:, 2:]], dim=1)


def _edge_mask(images: torch.Tensor) -> torch.Tensor:
    """B×1×H×W in [0, 1]: smoothed gradient magnitude, stretched between its 1st and 99th percentile."""
    gradient = spatial_gradient(rgb_to_grayscale(images), mode="diff")
    strength = blur_gaussian(gradient.square().sum(dim=2).sqrt(), EDGE_SPREAD)
    # The field is smooth over EDGE_SPREAD pixels: every fourth one is enough for a percentile.
    sample = strength[..., ::4, ::4].flatten(1)
    limits = torch.quantile(sample, torch.tensor([0.01, 0.99], device=images.device), dim=1)
    low, high = limits[:, :, None, None, None]
    return ((strength - low) / (high - low).clamp(min=1e-6)).clamp(0, 1)


def saturation_hsv(images: torch.Tensor, factor: float, seeds: Sequence[int]) -> torch.Tensor:
    """HSV saturation times ``factor``: below 1 greyer, 0 grey, below 0 towards the complementary colour."""
    hue, saturation, value = rgb_to_hsv(images).unbind(1)
    return hsv_to_rgb(torch.stack([hue, saturation * factor, value], dim=1)).clamp(0, 1)


def saturation_lab(images: torch.Tensor, factor: float, seeds: Sequence[int]) -> torch.Tensor:
    """Lab chroma times ``factor``, which is above 1: garish, then clipped colours."""
    lab = rgb_to_lab(images)
    return lab_to_rgb(torch.cat([lab[:, :1], lab[:, 1:] * factor], dim=1))
