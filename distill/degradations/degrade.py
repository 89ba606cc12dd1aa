"""`degrade`: the one checked entrance to every kind."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .table import DEGRADATIONS, KINDS, LEVELS

# The largest thing that is pasted, one block of flat colour, has to fit.
SMALLEST_SIDE = 32


@torch.no_grad()
def degrade(images: torch.Tensor, kind: str, level: int, seed: int | Sequence[int]) -> torch.Tensor:
    """A degraded copy of a batch; the input is never changed.

    The same image, kind, level and seed give the same result alone or in a batch. Two levels with one seed
    share their random draw (the same noise, stronger; the same patches, and more), which keeps severity
    monotone; use another seed where two copies have to be independent.

    Args:
        images: float32 B×3×H×W, RGB in [0, 1], both sides at least 32 pixels, on any device.
        kind: one of ``KINDS``.
        level: 1 (mildest) to 5.
        seed: one for every image of the batch, or B of them, one for each.

    Returns:
        float32 B×3×H×W in [0, 1], contiguous, on the same device.

    Raises:
        TypeError: images are no float32 tensor, or a level or seed is no integer.
        ValueError: unknown kind or level, wrong shape, wrong number of seeds, or a value outside [0, 1].
    """
    _check_images(images)
    if kind not in DEGRADATIONS:
        raise ValueError(f"unknown kind of degradation {kind!r}; allowed are {', '.join(KINDS)}")
    if not _is_integer(level):
        raise TypeError(f"level is {level!r}; give an integer from {LEVELS[0]} to {LEVELS[-1]}")
    if level not in LEVELS:
        raise ValueError(f"level is {level}; allowed are {LEVELS[0]} (mildest) to {LEVELS[-1]}")
    seeds = [seed] * len(images) if _is_integer(seed) else seed
    if isinstance(seeds, str) or not isinstance(seeds, Sequence) or not all(map(_is_integer, seeds)):
        raise TypeError(f"seed is {seed!r}; give an integer or a sequence of {len(images)} integers")
    if len(seeds) != len(images):
        raise ValueError(f"{len(seeds)} seeds for {len(images)} images; give one, or one for each image")
    row = DEGRADATIONS[kind]
    degraded = row.function(images, row.levels[level - 1], seeds)
    # A kernel's weights add up to 1 only to the last bit, so that white could come out a hair above 1.
    return degraded.clamp(0, 1).contiguous()


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_images(images: torch.Tensor) -> None:
    if not isinstance(images, torch.Tensor):
        raise TypeError(f"images are a {type(images).__name__}; give a float32 tensor B×3×H×W in [0, 1]")
    if images.dtype != torch.float32:
        raise TypeError(f"images are {images.dtype}; give float32 in [0, 1]")
    if images.ndim != 4 or images.shape[0] == 0 or images.shape[1] != 3:
        raise ValueError(f"images have shape {tuple(images.shape)}; give B×3×H×W with B at least 1")
    if min(images.shape[-2:]) < SMALLEST_SIDE:
        height, width = images.shape[-2:]
        raise ValueError(f"images are {height}×{width}; both sides need {SMALLEST_SIDE} pixels or more")
    low, high = (bound.item() for bound in images.aminmax())
    # Written so that NaN, which compares false with everything, is refused too.
    if not (low >= 0 and high <= 1):
        raise ValueError(f"images have values from {low:.4g} to {high:.4g}; scale them to [0, 1]")
