"""Photos that set the ranges of int8 activations: real ones, enough of them, always the same."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pocketiqa.errors import PhotoError
from pocketiqa.preprocess import open_photo, preprocess

from distill.student import INPUT_SPEC

FEWEST = 16
_ENDINGS = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}
# Neighbouring pixels of a photo resemble each other (.9 and more); those of noise do not.
_LEAST_CORRELATION = 0.3


class CalibrationError(ValueError):
    """The photos cannot calibrate; the message says why and what can."""


@dataclass(frozen=True)
class PhotoSplit:
    """Disjoint photos for the three uses of a folder."""

    calibration: list[Path]
    fine_tuning: list[Path]
    validation: list[Path]


def split_photos(folder: Path, calibration: int, fine_tuning: int, validation: int, seed: int) -> PhotoSplit:
    """Photos below ``folder``, shuffled by ``seed`` and dealt out: calibration, validation, then fine-tuning.

    A folder with fewer photos than asked for gives each use its share of what is there.

    Raises:
        CalibrationError: fewer than ``FEWEST`` photos fall to calibration.
    """
    photos = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _ENDINGS)
    random.Random(seed).shuffle(photos)
    asked = calibration + fine_tuning + validation
    share = min(1.0, len(photos) / asked)
    cut = [round(calibration * share), round((calibration + validation) * share), round(asked * share)]
    if cut[0] < FEWEST:
        raise CalibrationError(
            f"{folder} has {len(photos)} photos, of which {cut[0]} would calibrate; at least {FEWEST} are needed, "
            f"or a single odd photo sets the ranges: give a folder with {round(FEWEST / calibration * asked)} or more"
        )
    return PhotoSplit(photos[: cut[0]], photos[cut[1] : cut[2]], photos[cut[0] : cut[1]])


def load_inputs(photos: list[Path]) -> list[torch.Tensor]:
    """The student's inputs, float32 of ``INPUT_SPEC.shape`` each.

    Raises:
        CalibrationError: a photo cannot be read, or is noise rather than a photograph.
    """
    inputs = []
    for path in photos:
        try:
            photo = open_photo(path)
        except PhotoError as error:
            raise CalibrationError(f"{path.name} cannot calibrate: {error}") from None
        if (likeness := neighbour_correlation(np.asarray(photo.convert("L")))) < _LEAST_CORRELATION:
            raise CalibrationError(
                f"{path.name} looks like noise: neighbouring pixels correlate by {likeness:.2f}, in photographs by "
                "over .9. Activations on noise have other ranges than on photos; calibrate on photos"
            )
        inputs.append(torch.from_numpy(preprocess(photo, INPUT_SPEC)))
    return inputs


def neighbour_correlation(grey: np.ndarray) -> float:
    """Correlation of horizontally neighbouring pixels of a uint8 H×W array; 1 for a flat one."""
    left, right = grey[:, :-1].ravel().astype(float), grey[:, 1:].ravel().astype(float)
    if left.std() < 1 or right.std() < 1:
        return 1.0
    return float(np.corrcoef(left, right)[0, 1])


def digest(photos: list[Path]) -> str:
    """sha256 over the photos' bytes, in order: which calibration made an artifact."""
    total = hashlib.sha256()
    for path in photos:
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()
