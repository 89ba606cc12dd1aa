"""What every peer reads: our programs, the float student, one photo and the student's inputs."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from PIL import ImageOps
from pocketiqa.bundle import Bundle
from pocketiqa.preprocess import open_photo, preprocess

from distill.networks.student import SHIPPED_STUDENT

# Networks that take a photo at its own size are compared at this one, width and height.
PHOTO_SIZE = (512, 384)


def write_material(bundle: Bundle, photo: Path, student: Path | None, folder: Path) -> None:
    """Fill ``folder``: ``int8.pte``, ``fp32.pte``, ``student.safetensors``, and as arrays ``photo`` (uint8 H×W×3 of
    ``PHOTO_SIZE``), ``input`` (the student's, float32) and ``calibration`` (one input a golden photo, float32).
    """
    folder.mkdir(parents=True, exist_ok=True)
    for variant in ("int8", "fp32"):
        (folder / f"{variant}.pte").write_bytes(bundle.read_variant(variant))
    shutil.copy(student or SHIPPED_STUDENT, folder / "student.safetensors")
    spec = bundle.manifest.input
    fitted = ImageOps.fit(open_photo(photo), PHOTO_SIZE)
    np.save(folder / "photo.npy", np.asarray(fitted))
    np.save(folder / "input.npy", preprocess(np.asarray(fitted), spec))
    np.save(folder / "calibration.npy", np.stack([preprocess(bundle.root / name, spec) for name in bundle.golden]))
