"""Photos that int8 is tuned and judged on: real ones, enough of them, clean and degraded, always the same."""

from __future__ import annotations

import csv
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
from distill.data.mos_sets import split_by_hash
from distill.degradations.degrade import KINDS, LEVELS

FEWEST = 16
_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
# Neighbouring pixels of a photo resemble each other (.9 and more); those of noise do not.
_LEAST_CORRELATION = 0.3
# Training leaves out this share of a MOS set, by the same hash: validation is on photos new to both.
_HELD_OUT_SHARE = 0.1


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


def photos_below(folder: Path, mos: dict[str, float] | None = None) -> list[Path]:
    """Photos below ``folder``, sorted; with opinions, those that have one.

    Raises:
        CalibrationError: there is none.
    """
    found = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in _ENDINGS)
    if not found:
        raise CalibrationError(f"no photo below {folder}; photos end in {', '.join(_ENDINGS)}")
    rated = found if mos is None else [path for path in found if path.name in mos]
    if not rated:
        raise CalibrationError(f"none of the {len(found)} photos below {folder} is in the table of --mos")
    return rated


def read_mos(table: Path) -> dict[str, float]:
    """Opinions by file name, from a CSV whose rows begin with name and score; the first row may be a heading.

    Raises:
        CalibrationError: no such file, or no row with a name and a number.
    """
    opinions = {}
    if not table.is_file():
        raise CalibrationError(f"no table of opinions at {table}; --mos takes a CSV of file name and score")
    with table.open(newline="", encoding="utf-8-sig") as stream:
        for row in csv.reader(stream):
            try:
                opinions[row[0]] = float(row[1])
            except (IndexError, ValueError):
                continue
    if not opinions:
        raise CalibrationError(f"{table.name} has no row of file name and score, such as: photo.jpg,0.61")
    return opinions


def split_photos(photos: list[Path], tuning: int, validation: int, seed: int) -> PhotoSplit:
    """Deal photos out: validation by a hash of the name, so that it stays validation however many there are.

    Raises:
        CalibrationError: fewer than ``FEWEST`` photos fall to tuning, or none to validation.
    """
    share = _HELD_OUT_SHARE
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
