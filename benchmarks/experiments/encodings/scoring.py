"""What becomes of one photo in each encoding."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from pocketiqa import Scorer
from pocketiqa.errors import PhotoError
from pocketiqa.photo import read_photo

from benchmarks.experiments.encodings.encoders import ENCODERS
from benchmarks.experiments.encodings.saving import Encoder

SIDE = 320


def row(path: Path) -> list[str]:
    """A photo's name and its cells of the CSV."""
    rgb = np.asarray(ImageOps.fit(Image.open(path).convert("RGB"), (SIDE, SIDE)))
    return [path.name, *(outcome(_scorer(), rgb, encoder) for encoder in ENCODERS.values())]


@functools.cache
def _scorer() -> Scorer:
    return Scorer(threads=1)


def outcome(scorer: Scorer, rgb: np.ndarray, encoder: Encoder) -> str:
    """What became of one photo in one encoding: a cell of the CSV. The score is a function of the pixels alone, so the
    network is asked only where they differ."""
    encoded, reference = encoder(rgb)
    try:
        picture = read_photo(encoded)
    except PhotoError:
        return "refused"
    pixels = np.asarray(picture.rgb)
    same = reference is None or np.array_equal(pixels, reference)
    difference = 0.0 if same else scorer(pixels).score - scorer(np.ascontiguousarray(reference)).score
    return f"{difference:.4f}{'w' if picture.warning else ''}"
