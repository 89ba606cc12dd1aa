"""Random fields, one independent stream for each image of a batch.

They are drawn on the CPU and moved to the images' device, so that a seed means the same picture on every
device. No field depends on the level: a higher level scales or extends the same draw, which is what makes
severity monotone.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch


def generators(seeds: Sequence[int]) -> list[torch.Generator]:
    """One CPU generator for each seed."""
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def normal(images: torch.Tensor, seeds: Sequence[int], channels: int = 3) -> torch.Tensor:
    """Standard normal field B×channels×H×W on the images' device."""
    shape = (channels, *images.shape[-2:])
    fields = torch.stack([torch.randn(shape, generator=stream) for stream in generators(seeds)])
    return fields.to(images.device)


def uniform(images: torch.Tensor, seeds: Sequence[int]) -> torch.Tensor:
    """Uniform field in [0, 1), shaped like ``images`` and on their device."""
    shape = images.shape[1:]
    fields = torch.stack([torch.rand(shape, generator=stream) for stream in generators(seeds)])
    return fields.to(images.device)
