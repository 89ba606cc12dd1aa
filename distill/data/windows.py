"""Windows of a photo's views, drawn anew whenever a photo is seen: a network that pools learns from a part as well."""

from __future__ import annotations

import numpy as np
from PIL import Image
from pocketiqa.preprocess import RESAMPLING, PreprocessSpec, detail_scale, tensor_of


def random_windows(photo: Image.Image, spec: PreprocessSpec, side: int, random: np.random.Generator) -> np.ndarray:
    """A square window of each view, at the view's own scale.

    A window of the whole view shows a part of the reduced photo; one of the detail view comes from anywhere in the
    photo, not from its centre alone.

    Args:
        photo: upright RGB.
        spec: of the network's input.
        side: of the window in pixels, at most the view's.
        random: draws the places.

    Returns:
        float32 views×3×side×side in [0, 1].

    Raises:
        ValueError: ``side`` is larger than the view.
    """
    if not 1 <= side <= min(spec.height, spec.width):
        raise ValueError(f"a window of {side} pixels does not fit into views of {spec.height}×{spec.width}")
    windows = []
    for view in spec.views:
        size = (spec.width, spec.height)
        if view == "detail":
            scale = detail_scale(photo.size, spec)
            size = tuple(max(round(scale * edge), side) for edge in photo.size)
        left, top = (int(random.integers(0, edge - side + 1)) for edge in size)
        # In the photo's own coordinates, so that a large photo is never resized whole.
        across, down = photo.width / size[0], photo.height / size[1]
        box = (left * across, top * down, (left + side) * across, (top + side) * down)
        windows.append(photo.resize((side, side), RESAMPLING[spec.resample], box=_inside(box, photo.size)))
    return tensor_of(windows)


def _inside(box: tuple[float, float, float, float], size: tuple[int, int]) -> tuple[float, float, float, float]:
    left, top, right, bottom = box  # rounding may carry it a hair over the edge, which Pillow refuses
    return max(left, 0), max(top, 0), min(right, size[0]), min(bottom, size[1])
