"""``python -m benchmarks browser``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal

from pocketiqa.bundle import Bundle

from benchmarks.browser import measure
from benchmarks.end_to_end import twelve_megapixels


def browser(
    bundle: Path,
    photo: Path | None = None,
    variant: Literal["onnx_int8", "onnx_fp32"] | None = None,
    runs: int = 20,
) -> int:
    """Time decode, preprocess and inference of one photo in Chromium, after the golden check there.

    Args:
        bundle: The bundle's folder, with web/ort inside.
        photo: A photo file; without it a 12-megapixel JPEG made from a golden photo.
        variant: Which program; without it int8 where the bundle has it.
        runs: How often.
    """
    if runs < 2:
        raise ValueError(f"--runs {runs}: at least 2")
    with tempfile.TemporaryDirectory() as folder:
        if photo is None:
            photo = Path(folder) / "12-megapixels.jpg"
            twelve_megapixels(Bundle.open(bundle), photo)
        print(measure(bundle, photo, runs, variant))
    return 0
