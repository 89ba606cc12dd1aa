"""``python -m benchmarks throughput``."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from pocketiqa.ahead import usable_cores
from pocketiqa.bundle import Bundle

from benchmarks.throughput import FORMATS, SIZES, make_photo, measure, table


def throughput(
    bundle: Path | None = None,
    variant: str = "int8",
    photo: Path | None = None,
    workers: tuple[int, ...] = (),
    photos: int = 24,
    rounds: int = 5,
) -> int:
    """Photos a second of Scorer.batch on this machine, beside decoding alone and the bound of the slowest stage.

    Args:
        bundle: The bundle's folder or packed file; without it the one inside the pocketiqa package.
        variant: Which program.
        photo: A photo file; without it JPEG, PNG and WebP of 12, 2 and 0.2 megapixels, made from a golden photo.
        workers: Of Scorer.batch, one row each; without it 1, and one a core.
        photos: How many are scored for one sample.
        rounds: Samples of each rate.
    """
    if photos < 1 or rounds < 2 or min(workers, default=1) < 1:
        raise ValueError(f"--photos {photos} --rounds {rounds} --workers {workers}: at least 1, 2 and 1")
    opened = Bundle.open(bundle)
    workers = workers or tuple(sorted({1, usable_cores()}))
    rates = []
    with tempfile.TemporaryDirectory() as folder:
        kinds = [(size, style) for size in SIZES for style in FORMATS]
        made = [(f"{size} {style}", make_photo(opened, Path(folder), size, style)) for size, style in kinds]
        for label, path in made if photo is None else [(photo.name, photo)]:
            rates += measure(opened, variant, path, label, workers, photos, rounds)
    print(table(rates))
    load = ", ".join(f"{average:.1f}" for average in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"
    print(f"{usable_cores()} cores, n = {rounds} samples of {photos} photos; load of the machine {load}")
    return 0
