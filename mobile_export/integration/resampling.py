"""What ``Preprocessing.swift`` does to a photo, line by line in numpy.

No phone runs here, so their preprocessing is proved by this copy: it must give what ``pocketiqa.preprocess`` gives,
which is Pillow's, to the level. Functions and names are those of the file.
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from pocketiqa.preprocess import PreprocessSpec

CUBIC_A = -0.5


def app_input(photo: Image.Image, spec: PreprocessSpec) -> np.ndarray:
    """What the apps feed for an upright RGB photo: float32 of ``spec.shape``."""
    planes = np.asarray(photo).transpose(2, 0, 1)
    return np.stack([view(planes, name, spec.height, spec.width, spec.detail_short_side) for name in spec.views])


def view(photo: np.ndarray, name: str, height: int, width: int, detail_short_side: float) -> np.ndarray:
    """One view, float32 3×height×width in [0, 1], of a uint8 3×H×W photo in RGB."""
    left, top, across, down = 0.0, 0.0, float(photo.shape[2]), float(photo.shape[1])
    if name == "detail":
        reduce = min(1.0, detail_short_side / min(across, down))
        scale = max(reduce, width / across, height / down)
        left = max(0.0, (across - width / scale) / 2)
        top = max(0.0, (down - height / scale) / 2)
        if scale == 1:
            left, top = float(int(left)), float(int(top))
        across = min(width / scale, across - left)
        down = min(height / scale, down - top)
    turned = resample(photo, width, left, left + across)
    return resample(turned, height, top, top + down).astype(np.float32) / np.float32(255)


def resample(source: np.ndarray, size: int, begin: float, end: float) -> np.ndarray:
    """[begin, end) of the last axis onto ``size`` pixels, antialiased bicubic, rounded to 8 bits; transposed."""
    step = (end - begin) / size
    widening = max(step, 1.0)
    weights = np.zeros((size, source.shape[2]))
    for x in range(size):
        centre = begin + (x + 0.5) * step
        first = max(0, int(centre - 2 * widening + 0.5))
        last = min(source.shape[2], int(centre + 2 * widening + 0.5))
        values = cubic((np.arange(first, last) - centre + 0.5) / widening)
        weights[x, first:last] = values / values.sum()
    sums = weights @ source.astype(np.float64).transpose(0, 2, 1)
    return np.floor(sums + 0.5).clip(0, 255).astype(np.uint8)


def cubic(x: np.ndarray) -> np.ndarray:
    """Keys' kernel; "Cubic convolution interpolation for digital image processing", 1981."""
    t = np.abs(x)
    near = ((CUBIC_A + 2) * t - (CUBIC_A + 3)) * t * t + 1
    far = (((t - 5) * t + 8) * t - 4) * CUBIC_A
    return np.where(t < 1, near, np.where(t < 2, far, 0.0))
