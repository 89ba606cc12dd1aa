"""Photos for a trial run: real photographs that scikit-image and scikit-learn carry, and copies of them made worse.

Their "scores" come from the degradation's level, not from people: good for seeing every stage run, and for nothing
else.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from distill.data.mos_sets.photo_set import MosSetError
from distill.degradations.degrade import degrade

_SIDE = 160
_FAULTS = ((None, 0), ("gaussian_blur", 4), ("jpeg", 5))


def write_smoke_photos(folder: Path) -> tuple[Path, Path]:
    """Write 2 pristine photos and 12 scored ones, of four others, below ``folder``.

    Returns:
        The folder of pristine photos, and the folder with ``scores.csv``.

    Raises:
        MosSetError: the packages with the photographs are not installed.
    """
    try:
        import skimage.data
        from sklearn.datasets import load_sample_image
    except ImportError as error:
        raise MosSetError(f"--preset smoke uses photos of scikit-image and scikit-learn: {error}") from None
    scenes = {name: getattr(skimage.data, name)() for name in ("astronaut", "coffee", "chelsea", "rocket")}
    untouched = {name: load_sample_image(f"{name}.jpg") for name in ("china", "flower")}
    pristine, scored = folder / "pristine", folder / "scored"
    for place in (pristine, scored):
        place.mkdir(parents=True, exist_ok=True)
    for name, pixels in untouched.items():
        _small(pixels).save(pristine / f"{name}.png")
    rows = [("name", "score", "source")]
    for number, (name, pixels) in enumerate(scenes.items()):
        image = torch.from_numpy(np.array(_small(pixels))).permute(2, 0, 1)[None].float() / 255
        for kind, level in _FAULTS:
            worse = image if kind is None else degrade(image, kind, level, number)
            file = f"{name}-{kind or 'clean'}.png"
            Image.fromarray((worse[0].permute(1, 2, 0) * 255).round().byte().numpy()).save(scored / file)
            rows.append((file, 0.9 - 0.15 * level + 0.01 * number, "even" if number % 2 == 0 else "odd"))
    with (scored / "scores.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return pristine, scored


def _small(pixels: np.ndarray) -> Image.Image:
    picture = Image.fromarray(pixels)
    picture.thumbnail((2 * _SIDE, 2 * _SIDE), Image.Resampling.LANCZOS)
    return picture.crop((0, 0, _SIDE, _SIDE))
