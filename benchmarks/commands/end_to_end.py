"""``python -m benchmarks end-to-end``."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pocketiqa.bundle import Bundle

from benchmarks.end_to_end import measure, twelve_megapixels


def end_to_end(
    bundle: Path | None = None,
    variant: str = "int8",
    threads: int = 1,
    photo: Path | None = None,
    runs: int = 20,
) -> int:
    """Time decode, preprocess, inference and read-out of one photo on this machine, and Scorer.batch.

    Args:
        bundle: The bundle's folder or packed file; without it the one inside the pocketiqa package.
        variant: Which program.
        threads: Threads of the program; decoding and preprocessing take one.
        photo: A photo file; without it a 12-megapixel JPEG made from a golden photo.
        runs: How often.
    """
    if runs < 2:
        raise ValueError(f"--runs {runs}: at least 2")
    opened = Bundle.open(bundle)
    with tempfile.TemporaryDirectory() as folder:
        if photo is None:
            photo = Path(folder) / "12-megapixels.jpg"
            twelve_megapixels(opened, photo)
        print(measure(opened, variant, threads, photo, runs))
    return 0
