"""A network's views of photos, for whole batches on the device that trains.

``pocketiqa.preprocess`` is the truth. PyTorch's antialiased bicubic filter is Pillow's, but Pillow rounds to 8 bits
between rows and columns: a value differs by a fifth of such a step on average, by five at a few hard edges.
"""

from __future__ import annotations

import torch
from pocketiqa.halving import factor_of
from pocketiqa.preprocess import PreprocessSpec, detail_scale
from torch.nn.functional import interpolate


def views_of(photos: torch.Tensor, spec: PreprocessSpec) -> torch.Tensor:
    """Views of square photos, as ``preprocess`` makes them with ``spec``.

    Args:
        photos: float32 B×3×S×S in [0, 1].
        spec: with square views and bicubic resampling.

    Returns:
        float32 B×V×3×H×W in [0, 1].

    Raises:
        ValueError: the photos are so large that ``preprocess`` halves them.
    """
    side = photos.shape[-1]
    if factor_of((side, side), enough := spec.enough_for_whole) > 1:
        raise ValueError(f"photos of {side} pixels a side are halved for their views; give at most {2 * enough - 2}")
    views = []
    for view in spec.views:
        if view == "whole":
            views.append(_resized(photos, spec.height))
        else:
            scaled = _resized(photos, round(side * detail_scale((side, side), spec)))
            start = (scaled.shape[-1] - spec.height) // 2
            views.append(scaled[..., start : start + spec.height, start : start + spec.width])
    return torch.stack(views, dim=1)


def _resized(photos: torch.Tensor, side: int) -> torch.Tensor:
    if photos.shape[-1] == side:
        return photos
    resized = interpolate(photos, (side, side), mode="bicubic", antialias=True)
    return (resized * 255).round().clamp(0, 255) / 255
