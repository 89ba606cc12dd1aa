"""Does the score fall as a photo gets worse, and stay where nothing that matters changes?

Monotonicity: each pristine photo in every kind of degradation, at its own resolution; the rank correlation of level,
0 to 5, and falling score, averaged over photos and then over kinds. Flip: the same photo mirrored. Crop: its centre,
nine tenths of each side. JPEG: saved at quality 90, which hardly anybody sees. ``python -m
benchmarks consistency`` asks it of a bundle's programs.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from pocketiqa.parity import ParityReport, compare
from tabulate import tabulate
from tqdm import tqdm

from distill.data.degraded_photos import degraded_pixels
from distill.data.monotonicity import falling
from distill.data.training_photos import read_photo
from distill.degradations.degrade import KINDS, LEVELS

_KEPT = 0.9  # of each side, by the crop
_QUALITY = 90

# From pixels, uint8 H×W×3, to a score.
Scorer = Callable[[np.ndarray], float]


@dataclass(frozen=True)
class Consistency:
    """Figures of one scorer over n photos; ``str`` is a Markdown table.

    Attributes:
        falls: kind → rank correlation of level and falling score in [-1, 1], the mean over photos; a ladder along
            which the score never moves counts as 0.
        flip: the mirrored photos against the photos.
        crop: the centres against the photos.
        jpeg: the photos saved as JPEG against the photos.
    """

    falls: dict[str, float]
    flip: ParityReport
    crop: ParityReport
    jpeg: ParityReport

    @property
    def monotonicity(self) -> float:
        """Mean over kinds."""
        return float(np.mean(list(self.falls.values())))

    def __str__(self) -> str:
        kinds = sorted(self.falls.items(), key=lambda item: item[1])
        first = [*kinds, (f"**mean of {len(kinds)} kinds**", self.monotonicity)]
        changes = {
            "mirrored": self.flip,
            "centre, nine tenths of each side": self.crop,
            f"JPEG of quality {_QUALITY}": self.jpeg,
        }
        second = [(name, one.bias, one.mean_abs, one.max_abs, one.srcc) for name, one in changes.items()]
        tables = [
            tabulate(rows, headers, tablefmt="pipe", floatfmt=".3f")
            for headers, rows in (
                (["kind", "level and falling score"], first),
                (["photo against itself", "mean Δ", "mean \\|Δ\\|", "max \\|Δ\\|", "SRCC"], second),
            )
        ]
        note = f"n = {self.flip.n} photos, each in {len(KINDS)} kinds × {len(LEVELS)} levels."
        return "\n\n".join([*tables, note])


def consistency(photos: list[Path], score: Scorer) -> Consistency:
    """Figures of ``score`` over photos, of which a few are scored at a time."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        measured = list(tqdm(pool.map(partial(_of_one, score), photos), total=len(photos), desc="photos"))
    ladders, flipped, cropped, saved = (np.array(part) for part in zip(*measured))
    falls = {kind: float(np.mean([falling(of_photo[row]) for of_photo in ladders])) for row, kind in enumerate(KINDS)}
    clean, names = ladders[:, 0, 0], [photo.name for photo in photos]
    return Consistency(falls, *(compare(clean, other, names) for other in (flipped, cropped, saved)))


def _of_one(score: Scorer, path: Path) -> tuple[list[list[float]], float, float, float]:
    """Scores of a photo's ladders, kinds × levels from 0, of its mirror image, its centre and its JPEG."""
    photo = read_photo(path)
    clean = score(np.array(photo))
    ladders = [[clean, *(score(degraded_pixels(photo, kind, level, seed=0)) for level in LEVELS)] for kind in KINDS]
    width, height = photo.size
    left, top = round(width * (1 - _KEPT) / 2), round(height * (1 - _KEPT) / 2)
    centre = photo.crop((left, top, width - left, height - top))
    encoded = io.BytesIO()
    photo.save(encoded, "JPEG", quality=_QUALITY)
    return ladders, *(score(np.array(one)) for one in (ImageOps.mirror(photo), centre, Image.open(encoded)))
