"""Photos that int8 is tuned and judged on: real ones, enough of them, clean and degraded, always the same."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pocketiqa.errors import PhotoError
from pocketiqa.preprocess import PreprocessSpec, open_photo
from tqdm import tqdm

from distill.data.degraded_photos import CLEAN, DegradedPhoto, render
from distill.data.enough import nothing_to_rank
from distill.data.mos_sets import VALIDATION_SHARE, split_by_hash
from distill.data.mos_sets.mos_table import read_mos_table
from distill.degradations.degrade import KINDS, LEVELS

FEWEST = 16
_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
# Neighbouring pixels of a photo resemble each other (.9 and more); those of noise do not.
_LEAST_CORRELATION = 0.3


class CalibrationError(ValueError):
    """The photos cannot calibrate; the message says why and what can."""


@dataclass(frozen=True)
class PhotoSplit:
    """Disjoint photos for the two uses of a folder, in a random order that their seed gives."""

    tuning: list[Path]
    validation: list[Path]


class Inputs(Sequence):
    """A network's inputs of many photos, held as the uint8 pixels that they are, n×views×3×H×W."""

    def __init__(self, pixels: np.ndarray) -> None:
        self._pixels = pixels

    def __len__(self) -> int:
        return len(self._pixels)

    def __getitem__(self, row: int) -> torch.Tensor:
        """Float32 views×3×H×W in [0, 1]."""
        return torch.from_numpy(self._pixels[row].astype(np.float32) / np.float32(255))

    def take(self, rows: Sequence[int]) -> Inputs:
        """The inputs in ``rows``, in that order."""
        return Inputs(self._pixels[list(rows)])


def photos_below(folder: Path) -> list[Path]:
    """Photos below ``folder``, sorted.

    Raises:
        CalibrationError: there is no such folder, or no photo in it.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise CalibrationError(f"{folder} {what}; --images takes a folder of photos")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _ENDINGS)
    if not found:
        raise CalibrationError(f"no photo below {folder}; photos end in {', '.join(_ENDINGS)}")
    return found


def opinions_of(photos: list[Path], table: Path) -> dict[Path, float]:
    """Opinions, on any scale, of those of ``photos`` that a CSV names; in the photos' order.

    Raises:
        MosSetError: no such table, or a row that cannot be read right.
        CalibrationError: it names none of them.
    """
    read = read_mos_table(table)
    opinions = {path: read.score(row) for path, row in read.rows_of(photos).items()}
    if not opinions:
        raise CalibrationError(f"none of the {len(photos)} photos is in the table of --mos, {table}")
    return opinions


def validated_by(opinions: list[float]) -> np.ndarray:
    """Opinions of the photos to validate, float64 n, that a rank correlation can be measured with.

    Raises:
        CalibrationError: fewer than two of them, or all alike.
    """
    if reason := nothing_to_rank(np.array(opinions)):
        raise CalibrationError(
            f"--mos leaves {reason} to validate by: no rank correlation with opinions; give more photos whose opinions "
            "differ, or leave --mos away"
        )
    return np.array(opinions)


def split_photos(photos: list[Path], tuning: int, validation: int, seed: int) -> PhotoSplit:
    """Deal photos out: validation by a hash of the name, so that it stays validation however many there are.

    Raises:
        CalibrationError: fewer than ``FEWEST`` photos fall to tuning, or none to validation.
    """
    share = VALIDATION_SHARE  # training's: validation is on photos new to both
    if len(photos) * share < validation:  # a small folder
        share = validation / (tuning + validation)
    held_out = split_by_hash(photos, share) if photos else np.zeros(0, dtype=bool)
    order = random.Random(seed).sample(range(len(photos)), len(photos))
    split = PhotoSplit(
        [photos[row] for row in order if not held_out[row]][:tuning],
        [photos[row] for row in order if held_out[row]][:validation],
    )
    if len(split.tuning) < FEWEST or not split.validation:
        raise CalibrationError(
            f"{len(photos)} photos give {len(split.tuning)} to tune on and {len(split.validation)} to validate; at "
            f"least {FEWEST} and 1 are needed, or a single odd photo sets the ranges: give a folder with more"
        )
    return split


def degraded_half(photos: list[Path], seed: int) -> list[DegradedPhoto]:
    """Every photo once: each second one clean, the others degraded, all kinds and levels equally often."""
    degraded = iter(degraded_copies(photos[1::2], seed))
    return [next(degraded) if row % 2 else DegradedPhoto(photo, CLEAN, 0, 0) for row, photo in enumerate(photos)]


def degraded_copies(photos: list[Path], seed: int) -> list[DegradedPhoto]:
    """One degraded copy of each photo."""
    shuffler = random.Random(seed)
    deck: list[tuple[str, int]] = []
    copies = []
    for number, photo in enumerate(photos):
        if not deck:
            deck = [(kind, level) for kind in KINDS for level in LEVELS]
            shuffler.shuffle(deck)
        copies.append(DegradedPhoto(photo, *deck.pop(), number))
    return copies


def clean(photos: list[Path]) -> list[DegradedPhoto]:
    """The photos as they are."""
    return [DegradedPhoto(photo, CLEAN, 0, 0) for photo in photos]


def load_inputs(photos: list[DegradedPhoto], spec: PreprocessSpec, title: str = "photos") -> Inputs:
    """A network's inputs, as its ``spec`` says, of photos and of degraded copies.

    Raises:
        CalibrationError: a photo cannot be read, or is noise rather than a photograph.
    """

    def load(photo: DegradedPhoto) -> np.ndarray:
        _refuse_noise(photo.photo)
        return np.rint(render(photo, spec) * 255).astype(np.uint8)

    with ThreadPoolExecutor(2) as pool:
        return Inputs(np.stack(list(tqdm(pool.map(load, photos), total=len(photos), desc=title))))


def _refuse_noise(path: Path) -> None:
    try:
        grey = np.asarray(open_photo(path).convert("L"))
    except PhotoError as error:
        raise CalibrationError(f"{path.name} cannot calibrate: {error}") from None
    if (likeness := neighbour_correlation(grey)) < _LEAST_CORRELATION:
        raise CalibrationError(
            f"{path.name} looks like noise: neighbouring pixels correlate by {likeness:.2f}, in photographs by "
            "over .9. Activations on noise have other ranges than on photos; calibrate on photos"
        )


def neighbour_correlation(grey: np.ndarray) -> float:
    """Correlation of horizontally neighbouring pixels of a uint8 H×W array; 1 for a flat one."""
    left, right = grey[:, :-1].ravel().astype(float), grey[:, 1:].ravel().astype(float)
    if left.std() < 1 or right.std() < 1:
        return 1.0
    return float(np.corrcoef(left, right)[0, 1])


def stratified(scores: np.ndarray, count: int) -> list[int]:
    """Rows of ``count`` photos spread evenly over the quality that the float student sees, worst to best."""
    order = np.argsort(scores, kind="stable")
    return [int(order[round(position)]) for position in np.linspace(0, len(order) - 1, min(count, len(order)))]


def digest(photos: list[DegradedPhoto]) -> str:
    """sha256 over the photos' bytes and what was done to them, in order: which photos made an artifact."""
    total = hashlib.sha256()
    for copy in photos:
        total.update(hashlib.sha256(copy.photo.read_bytes()).digest())
        total.update(f"{copy.kind}|{copy.level}|{copy.seed}".encode())
    return total.hexdigest()
