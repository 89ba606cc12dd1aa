"""``python -m benchmarks consistency``."""

from __future__ import annotations

from pathlib import Path

from benchmarks.consistency import measure_consistency


def consistency(images: Path, bundle: Path | None = None, variant: str = "int8") -> int:
    """Does a bundle's score fall along ladders of degradations, and stay for a mirrored and for a cropped photo?

    Args:
        images: A folder of undistorted photos.
        bundle: The bundle's folder or packed file; without it the one inside the pocketiqa package.
        variant: Which program: int8, or fp32 for the float student.
    """
    print(measure_consistency(images, bundle, variant))
    return 0
