"""The golden photos: six photographs that packages carry, each clean, blurred, noisy and hard-compressed.

A seventh, ``inputs/wall.jpg``, shows all six at full size. It is large enough that a preprocessing without
antialiasing, or at another place in the photo, gives another tensor; no score is expected of it.

    python -m mobile_export golden --out mobile_export/golden

They travel in every bundle with their expected scores, so that a phone can prove itself at start-up. Small on
purpose; the degraded copies spread the scores, or a rank correlation over them would say little.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageOps

FOLDER = Path(__file__).parents[1] / "golden"
WALL = FOLDER / "inputs" / "wall.jpg"
# Golden photos whose input tensor travels too: what an app's own preprocessing is checked against.
SHOWN_TENSORS = ("coffee-clean.jpg", "rocket-noisy.jpg")
_LONGEST_SIDE = 320
_TILE = (640, 380)  # of the wall, which has two columns and three rows
_QUALITY = 90


def golden_photos() -> list[Path]:
    """The committed golden photos, sorted by name."""
    return sorted(FOLDER.glob("*.jpg"))


def write_golden(folder: Path) -> list[Path]:
    """Make the golden photos anew from the photographs inside scikit-image and scikit-learn."""
    from skimage import data
    from sklearn.datasets import load_sample_image

    photos = {name: getattr(data, name)() for name in ("astronaut", "coffee", "chelsea", "rocket")}
    photos |= {name: load_sample_image(f"{name}.jpg") for name in ("china", "flower")}
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number, (name, pixels) in enumerate(photos.items()):
        photo = Image.fromarray(pixels)
        photo.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.LANCZOS)
        copies = {
            "clean": photo,
            "blurred": photo.filter(ImageFilter.GaussianBlur(1 + 0.4 * number)),
            "noisy": _noisy(photo, 12 + 5 * number, seed=number),
            "compressed": _compressed(photo, 22 - 3 * number),
        }
        for treatment, copy in copies.items():
            path = folder / f"{name}-{treatment}.jpg"
            copy.save(path, quality=_QUALITY, subsampling=0)
            written.append(path)
    wall = folder / "inputs" / WALL.name
    wall.parent.mkdir(exist_ok=True)
    _wall([Image.fromarray(pixels) for pixels in photos.values()]).save(wall, quality=_QUALITY, subsampling=0)
    return [*written, wall]


def _wall(photos: list[Image.Image]) -> Image.Image:
    wall = Image.new("RGB", (2 * _TILE[0], 3 * _TILE[1]))
    for number, photo in enumerate(photos):
        tile = ImageOps.fit(photo, _TILE, Image.Resampling.LANCZOS)
        wall.paste(tile, (number % 2 * _TILE[0], number // 2 * _TILE[1]))
    return wall


def _noisy(photo: Image.Image, deviation: float, seed: int) -> Image.Image:
    pixels = np.asarray(photo, dtype=np.float32)
    noise = np.random.default_rng(seed).normal(0, deviation, pixels.shape)
    return Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8))


def _compressed(photo: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")
