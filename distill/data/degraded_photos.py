"""Pristine photographs, each with ladders of known degradations: what teaches the attributes and the ranking.

A degraded photo is one copy (photo, kind, level); level 0 is the photo itself. A severity ladder is the copies of one
photo and kind, mildest first. They share their seed, so that a level differs from the next in severity alone.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pocketiqa.preprocess import PreprocessSpec, preprocess

from distill.data.monotonicity import falling
from distill.data.mos_sets.photo_set import MosSetError
from distill.data.training_photos import read_photo
from distill.degradations.degrade import DEGRADATIONS, KINDS, LEVELS, SMALLEST_SIDE, degrade

CLEAN = "clean"
# The MOS photos are about this large; a level's severity depends on the resolution.
_LONGEST_SIDE = 512
_ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}


@dataclass(frozen=True)
class DegradedPhoto:
    """One copy of a photo.

    Attributes:
        photo: path of the pristine photo.
        kind: a key of ``DEGRADATIONS``, or ``clean``.
        level: 0 for the photo itself, else 1 (mildest) to 5.
        seed: of the degradation.
    """

    photo: Path
    kind: str
    level: int
    seed: int

    def __str__(self) -> str:
        return f"{self.photo}|{self.kind}|{self.level}|{self.seed}"


def pristine_photos(folders: list[Path]) -> list[Path]:
    """All photos below ``folders``, sorted by name.

    Raises:
        MosSetError: a folder holds none.
    """
    found = []
    for folder in folders:
        photos = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in _ENDINGS)
        if not photos:
            raise MosSetError(
                f"no photos below {folder}; give a folder of undistorted photographs, for example of the GitHub "
                "repositories BIDS/BSDS500 and jbhuang0604/SelfExSR (Urban100)"
            )
        found += photos
    return found


def severity_ladders(photos: list[Path], kinds_per_photo: int, seed: int) -> list[DegradedPhoto]:
    """The clean photo and five levels of ``kinds_per_photo`` kinds for each photo; every kind equally often."""
    shuffler = random.Random(seed)
    deck: list[str] = []
    copies = []
    for number, photo in enumerate(photos):
        copies.append(DegradedPhoto(photo, CLEAN, 0, number))
        for _ in range(kinds_per_photo):
            if not deck:
                deck = list(KINDS)
                shuffler.shuffle(deck)
            kind = deck.pop()
            copies += [DegradedPhoto(photo, kind, level, number) for level in LEVELS]
    return copies


def render(copy: DegradedPhoto, spec: PreprocessSpec) -> np.ndarray:
    """A network's input, float32 of ``spec.shape`` in [0, 1], for one copy.

    Raises:
        MosSetError: the photo cannot be read, or is too narrow to be degraded.
    """
    return preprocess(degraded_pixels(reduced(copy.photo), copy.kind, copy.level, copy.seed), spec)


def reduced(path: Path) -> Image.Image:
    """A pristine photo at the resolution at which it is degraded.

    Raises:
        MosSetError: it cannot be read, or is too narrow to be degraded.
    """
    photo = read_photo(path)
    photo.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.LANCZOS)
    if min(photo.size) < SMALLEST_SIDE:
        raise MosSetError(
            f"{path}: {photo.width}×{photo.height} pixels at the {_LONGEST_SIDE} of training; a photo that is "
            f"degraded needs {SMALLEST_SIDE} on each side"
        )
    return photo


def degraded_pixels(photo: Image.Image, kind: str, level: int, seed: int) -> np.ndarray:
    """The pixels of one copy, uint8 H×W×3; level 0 is the photo itself."""
    pixels = np.array(photo)
    if level:
        image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
        pixels = (degrade(image, kind, level, seed)[0].permute(1, 2, 0) * 255).round().byte().numpy()
    return np.ascontiguousarray(pixels)


def attribute_targets(copies: list[DegradedPhoto], attributes: tuple[str, ...]) -> np.ndarray:
    """Float32 n×attributes in [0, 1]: 1 where a copy leaves one alone, down to 0 at level 5 where it harms it.

    Rows of kinds that no single attribute is to blame for are NaN: they say nothing about any.
    """
    targets = np.ones((len(copies), len(attributes)), dtype=np.float32)
    for row, copy in enumerate(copies):
        if copy.level == 0:
            continue
        attribute = DEGRADATIONS[copy.kind].attribute
        if attribute is None:
            targets[row] = np.nan
        else:
            targets[row, attributes.index(attribute)] = 1 - copy.level / max(LEVELS)
    return targets


def mean_falling(copies: list[DegradedPhoto], score: np.ndarray) -> float:
    """Mean monotonicity of severity ladders, each from the clean photo on."""
    clean = {copy.photo: value for copy, value in zip(copies, score) if copy.kind == CLEAN}
    along: dict[tuple, dict[int, float]] = {}
    for copy, value in zip(copies, score):
        if copy.level:
            along.setdefault((copy.photo, copy.kind), {0: clean[copy.photo]})[copy.level] = value
    scores = [[ladder[level] for level in sorted(ladder)] for ladder in along.values()]
    return float(np.mean([falling(np.array(of_ladder)) for of_ladder in scores]))
