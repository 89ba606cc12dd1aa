"""What every encoder needs: a file's bytes, and grey as RGB."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

# A photo, uint8 H×W×3, as a file and the pixels that it stands for; None where it cannot be read as such.
Encoded = tuple[bytes, np.ndarray | None]
Encoder = Callable[[np.ndarray], Encoded]


def saved(picture: np.ndarray | Image.Image, style: str, **options: object) -> bytes:
    file = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(file, style, **options)
    return file.getvalue()


def rgb_of(pixels: np.ndarray) -> np.ndarray:
    return np.stack([pixels] * 3, -1) if pixels.ndim == 2 else pixels
