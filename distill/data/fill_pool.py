"""Decoding photos, and making their degraded copies, for a ``PhotoPool``."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from distill.data.degraded_photos import CLEAN, DegradedPhoto, degraded_pixels
from distill.data.photo_pool import PhotoPool
from distill.data.training_photos import read_photo
from distill.degradations.degrade import KINDS, LEVELS

# A photo becomes a square of the larger side that it reaches; one that reaches neither is enlarged to the smaller.
SIDES = (512, 384)
_CHUNK = 16  # copies that a worker hands over at once


def fill_pool(copies: list[DegradedPhoto], side: int, device: torch.device, workers: int) -> PhotoPool:
    """Decode and degrade all of ``copies``.

    Args:
        copies: of photos that can be read.
        side: of the squares.
        device: that trains.
        workers: processes that decode and degrade; 0 does it in this one.
    """
    pixels = torch.empty((len(copies), 3, side, side), dtype=torch.uint8, device=device)
    loader = DataLoader(
        _Squares(copies, side),
        batch_size=_CHUNK,
        num_workers=workers,
        worker_init_fn=_alone if workers else None,
        multiprocessing_context="fork" if workers else None,
        generator=torch.Generator(),
    )
    done = 0
    for part in tqdm(loader, desc=f"photos of {side} pixels", mininterval=5):
        pixels[done : done + len(part)].copy_(part)
        done += len(part)
    return PhotoPool(pixels, [copy.level for copy in copies], [copy.photo.name for copy in copies])


def by_side(copies: Sequence[DegradedPhoto]) -> dict[int, list[DegradedPhoto]]:
    """The copies whose photos reach each of ``SIDES``."""
    found: dict[int, list[DegradedPhoto]] = {}
    for copy in copies:
        with Image.open(copy.photo) as photo:
            found.setdefault(_side_of(photo.size), []).append(copy)
    return found


def one_copy_each(photos: Sequence[Path], seed: int) -> list[DegradedPhoto]:
    """Every photo, and behind each a copy of a random kind and level."""
    draw = random.Random(seed)
    copies = []
    for number, photo in enumerate(photos):
        copies.append(DegradedPhoto(photo, CLEAN, 0, number))
        copies.append(DegradedPhoto(photo, draw.choice(KINDS), draw.choice(LEVELS), number))
    return copies


def square(photo: Image.Image, side: int) -> Image.Image:
    """The middle of a photo, as high or as wide as it is, as a square of ``side`` pixels."""
    edge = min(photo.size)
    left, top = (photo.width - edge) // 2, (photo.height - edge) // 2
    return photo.resize((side, side), Image.Resampling.BICUBIC, box=(left, top, left + edge, top + edge))


class _Squares(Dataset):
    def __init__(self, copies: list[DegradedPhoto], side: int) -> None:
        self._copies, self._side = copies, side

    def __len__(self) -> int:
        return len(self._copies)

    def __getitem__(self, row: int) -> torch.Tensor:
        copy = self._copies[row]
        pixels = degraded_pixels(square(read_photo(copy.photo), self._side), copy.kind, copy.level, copy.seed)
        return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def _alone(_: int) -> None:
    torch.set_num_threads(1)


def _side_of(size: tuple[int, int]) -> int:
    return next((side for side in SIDES if min(size) >= side), SIDES[-1])
