"""Brightness: a tone curve up, a tone curve down, and a plain shift of the mean."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from kornia.color import lab_to_rgb, rgb_to_lab


def brighten(images: torch.Tensor, amount: float, seeds: Sequence[int]) -> torch.Tensor:
    """Mid-grey lifted by ``amount``/2: two parts curve on RGB, one part on Lab lightness (keeps colour)."""
    lab = rgb_to_lab(images)
    lightness = 100 * _tone_curve(lab[:, :1] / 100, amount)
    by_lightness = lab_to_rgb(torch.cat([lightness, lab[:, 1:]], dim=1))
    return ((2 * _tone_curve(images, amount) + by_lightness) / 3).clamp(0, 1)


def darken(images: torch.Tensor, amount: float, seeds: Sequence[int]) -> torch.Tensor:
    """Mid-grey lowered by ``amount``/2 by a curve on RGB."""
    return _tone_curve(images, -amount)


def mean_shift(images: torch.Tensor, amount: float, seeds: Sequence[int]) -> torch.Tensor:
    """``amount`` added to every value, highlights clipped."""
    return (images + amount).clamp(0, 1)


def _tone_curve(values: torch.Tensor, amount: float) -> torch.Tensor:
    """The parabola through (0, 0), (½, ½ + amount/2) and (1, 1), clipped to [0, 1] and so never falling."""
    return (values + 2 * amount * values * (1 - values)).clamp(0, 1)
