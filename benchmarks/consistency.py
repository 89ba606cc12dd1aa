"""Monotonicity, flip and crop of a bundle's program: ``distill.data.consistency``'s protocol on what a phone runs."""

from __future__ import annotations

from pathlib import Path

from pocketiqa.scorer import Scorer

from distill.data.consistency import Consistency, consistency
from distill.data.degraded_photos import pristine_photos
from distill.data.training_photos import check_photos


def measure_consistency(images: Path, bundle: Path | None, variant: str) -> Consistency:
    """Figures of one program over a folder of undistorted photos.

    Raises:
        BundleError: no such bundle or variant.
        MosSetError: no photos in the folder, or some that cannot be read.
    """
    scorer = Scorer(bundle, variant=variant)
    photos = pristine_photos([images])
    check_photos(photos)
    return consistency(photos, lambda pixels: scorer(pixels).score)
