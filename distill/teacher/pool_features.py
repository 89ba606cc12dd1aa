"""CLIP's block statistics of photos that lie on the device as a pool."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from distill.data.device_views import views_of
from distill.data.photo_pool import PhotoPool
from distill.teacher.clip_features import CLIP_INPUT, BlockStatistics, normalized

_AT_ONCE = 64  # photos in a forward pass without gradients


def statistics_of(statistics: BlockStatistics, photos: torch.Tensor) -> torch.Tensor:
    """Float32 B×d: the statistics of both views of square photos, float32 B×3×S×S in [0, 1]."""
    views = normalized(views_of(photos, CLIP_INPUT).flatten(0, 1))
    precision = next(statistics.parameters()).dtype
    return statistics(views.to(precision)).float().reshape(len(photos), -1)


@torch.no_grad()
def features_of_pool(statistics: BlockStatistics, pool: PhotoPool, rows: Sequence[int]) -> torch.Tensor:
    """Float32 n×d of the photos at ``rows``, whole."""
    device, on_gpu = pool.pixels.device, pool.pixels.is_cuda
    parts = []
    for chosen in torch.as_tensor(np.asarray(rows), device=device).split(_AT_ONCE):
        with torch.autocast(device.type, torch.bfloat16, enabled=on_gpu):
            parts.append(statistics_of(statistics, pool.pixels[chosen].float() / 255))
    return torch.cat(parts)
