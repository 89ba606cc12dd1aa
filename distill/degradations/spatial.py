"""Spatial: jitter, misplaced patches, pixelation, coarse quantization and blocks of flat colour."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.nn import functional

from . import randomness

JITTER_PASSES = 5
PATCH = 16
PATCH_REACH = 8
BLOCK = 32


def jitter(images: torch.Tensor, amount: float, seeds: Sequence[int]) -> torch.Tensor:
    """Every pixel displaced by Gaussian noise, bilinear.

    The published form warps five times by ``amount`` pixels. Independent displacements add in variance, so
    one warp by amount·√5 moves pixels as far for a fifth of the time.
    """
    height, width = images.shape[-2:]
    shift = amount * math.sqrt(JITTER_PASSES) * randomness.normal(images, seeds, channels=2)
    rows = torch.arange(height, device=images.device)[:, None] + shift[:, 0]
    columns = torch.arange(width, device=images.device) + shift[:, 1]
    grid = torch.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], dim=-1)
    warped = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return warped.clamp(0, 1)


def misplaced_patches(images: torch.Tensor, count: float, seeds: Sequence[int]) -> torch.Tensor:
    """``count`` patches of 16×16 pixels, each replaced by what stands up to 8 pixels beside it.

    KADID-10k's non-eccentricity patches. Earlier patches lie on top of later ones: a higher level spoils new
    pixels and never mends one.
    """
    result = images.clone()
    height, width = images.shape[-2:]
    reach = torch.tensor([height - PATCH, width - PATCH])
    for index, stream in enumerate(randomness.generators(seeds)):
        # Four numbers a patch in turn: a lower level's patches are the first ones of a higher level.
        draws = [torch.rand(4, generator=stream) for _ in range(int(count))]
        for draw in reversed(draws):
            target = (draw[:2] * (reach + 1)).long()
            source = (target + ((2 * draw[2:] - 1) * PATCH_REACH).round().long()).clamp(min=0).minimum(reach)
            top, left = target.tolist()
            above, beside = source.tolist()
            patch = images[index, :, above : above + PATCH, beside : beside + PATCH]
            result[index, :, top : top + PATCH, left : left + PATCH] = patch
    return result


def pixelate(images: torch.Tensor, strength: float, seeds: Sequence[int]) -> torch.Tensor:
    """Nearest-neighbour reduction to 0.95 − strength^0.6 of each side and back."""
    height, width = images.shape[-2:]
    scale = 0.95 - strength**0.6
    small = functional.interpolate(images, (int(height * scale), int(width * scale)), mode="nearest-exact")
    return functional.interpolate(small, (height, width), mode="nearest-exact")


def quantization(images: torch.Tensor, levels: float, seeds: Sequence[int]) -> torch.Tensor:
    """Each channel rounded to ``levels`` evenly spaced values: banding."""
    return (images * (levels - 1)).round() / (levels - 1)


def colour_blocks(images: torch.Tensor, count: float, seeds: Sequence[int]) -> torch.Tensor:
    """``count`` blocks of 32×32 pixels in random flat colours, earlier ones on top as above."""
    result = images.clone()
    height, width = images.shape[-2:]
    reach = torch.tensor([height - BLOCK, width - BLOCK])
    for index, stream in enumerate(randomness.generators(seeds)):
        draws = [torch.rand(5, generator=stream) for _ in range(int(count))]
        for draw in reversed(draws):
            top, left = (draw[:2] * (reach + 1)).long().tolist()
            result[index, :, top : top + BLOCK, left : left + BLOCK] = draw[2:, None, None].to(images.device)
    return result
