"""Noise: white in RGB, white in YCbCr, impulse and multiplicative. Variances are for values in [0, 1]."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from kornia.color import rgb_to_ycbcr, ycbcr_to_rgb

from . import randomness


def white_noise(images: torch.Tensor, variance: float, seeds: Sequence[int]) -> torch.Tensor:
    """Independent Gaussian noise in each RGB channel."""
    return (images + math.sqrt(variance) * randomness.normal(images, seeds)).clamp(0, 1)


def white_noise_ycbcr(images: torch.Tensor, variance: float, seeds: Sequence[int]) -> torch.Tensor:
    """Independent Gaussian noise in Y, Cb and Cr: blotches of colour more than grain."""
    noisy = rgb_to_ycbcr(images) + math.sqrt(variance) * randomness.normal(images, seeds)
    return ycbcr_to_rgb(noisy).clamp(0, 1)


def impulse_noise(images: torch.Tensor, density: float, seeds: Sequence[int]) -> torch.Tensor:
    """A share ``density`` of all channel values set to 0 or to 1, half of them each."""
    draw = randomness.uniform(images, seeds)
    peppered = images.masked_fill(draw < density / 2, 0.0)
    return peppered.masked_fill(draw >= 1 - density / 2, 1.0)


def multiplicative_noise(images: torch.Tensor, variance: float, seeds: Sequence[int]) -> torch.Tensor:
    """Speckle: each value times (1 + Gaussian noise)."""
    return (images * (1 + math.sqrt(variance) * randomness.normal(images, seeds))).clamp(0, 1)
