"""Bursts made of one photo: a clean shot among blurred, shaken, dark and noisy ones, each from a hand that moves.

Every shot of a burst, the clean one too, is cut from its photo through a small random turn, zoom and shift; what is cut
away is the same tenth of each side for all of them. Blur, shake and noise are of ``distill.degradations``; a dark shot
got less light, in stops.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from kornia.color import linear_rgb_to_rgb, rgb_to_linear_rgb
from PIL import Image

from distill.data.degraded_photos import degraded_pixels

CLEAN = "clean"
# Fault → the kinds of degradation that stand for it; darkness is no kind, but light that is missing.
FAULTS = {
    "blurred": ("gaussian_blur", "lens_blur"),
    "shaken": ("motion_blur",),
    "noisy": ("white_noise", "white_noise_ycbcr"),
    "dark": (),
}
STOPS = (1, 1.5, 2, 2.5, 3)  # of light, at level 1 to 5
# Between two shots, uniform from minus to plus: degrees, share of the size, share of the side.
TURN, ZOOM, SHIFT = 1.5, 0.015, 0.02
KEPT = 0.9


@dataclass(frozen=True)
class Shot:
    """One photo of a burst: ``fault`` is a key of ``FAULTS`` or ``clean``; ``pixels`` uint8 H×W×3."""

    fault: str
    pixels: np.ndarray


def make_burst(photo: Image.Image, level: int, rng: np.random.Generator) -> list[Shot]:
    """One shot of each fault at ``level`` and a clean one, in random order.

    Args:
        photo: in RGB.
        level: 1 (mildest) to 5, of the degradations.
        rng: what turns, shifts, faults and noise are drawn from.
    """
    shots = []
    for fault in rng.permutation([CLEAN, *FAULTS]):
        seen = _through_a_moving_hand(photo, rng)
        if fault == CLEAN:
            pixels = np.asarray(seen)
        elif fault == "dark":
            pixels = _underexposed(np.asarray(seen), STOPS[level - 1])
        else:
            pixels = degraded_pixels(seen, str(rng.choice(FAULTS[fault])), level, int(rng.integers(2**31)))
        shots.append(Shot(str(fault), pixels))
    return shots


def _through_a_moving_hand(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    size = round(photo.width * KEPT), round(photo.height * KEPT)
    angle = np.radians(rng.uniform(-TURN, TURN))
    zoom = 1 + rng.uniform(-ZOOM, ZOOM)
    centre = np.array(photo.size) * (0.5 + rng.uniform(-SHIFT, SHIFT, 2))
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    start = centre - turn @ (np.array(size) / 2)
    affine = (*turn[0], start[0], *turn[1], start[1])
    return photo.transform(size, Image.Transform.AFFINE, affine, Image.Resampling.BICUBIC)


def _underexposed(pixels: np.ndarray, stops: float) -> np.ndarray:
    """With 2^-stops of the light that fell on the photo."""
    light = torch.from_numpy(pixels.astype(np.float32) / 255).movedim(2, 0)
    darker = linear_rgb_to_rgb(rgb_to_linear_rgb(light) * 2**-stops)
    return (darker.movedim(0, 2).numpy() * 255).round().astype(np.uint8)
