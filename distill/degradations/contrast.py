"""Sharpness and contrast: over-sharpening, too much contrast, too little contrast."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from kornia.color import lab_to_rgb, rgb_to_lab

from .gaussian import blur_gaussian

SHARPEN_RADIUS = 3.0


def over_sharpen(images: torch.Tensor, amount: float, seeds: Sequence[int]) -> torch.Tensor:
    """Unsharp mask on Lab lightness, Gaussian of 3 pixels, ``amount`` times the detail added: halos."""
    lab = rgb_to_lab(images)
    lightness = lab[:, :1]
    sharpened = lightness + amount * (lightness - blur_gaussian(lightness, SHARPEN_RADIUS))
    return lab_to_rgb(torch.cat([sharpened.clamp(0, 100), lab[:, 1:]], dim=1))


def linear_contrast(images: torch.Tensor, gain: float, seeds: Sequence[int]) -> torch.Tensor:
    """Values stretched about mid-grey by ``gain`` above 1, shadows and highlights clipped."""
    return (0.5 + gain * (images - 0.5)).clamp(0, 1)


def nonlinear_contrast(images: torch.Tensor, half_range: float, seeds: Sequence[int]) -> torch.Tensor:
    """Values squeezed into mid-grey ± ``half_range``: KADID-10k's name, though ARNIQA's form is linear."""
    return 0.5 + 2 * half_range * (images - 0.5)
