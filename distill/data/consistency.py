"""Does the score fall as a photo gets worse, and stay where nothing that matters changes?

    python -m distill consistency --images DIR

Monotonicity: each pristine photo in every kind of degradation, at its own resolution; the rank correlation of level,
0 to 5, and falling score, averaged over photos and then over kinds. Flip: the same photo mirrored. Crop: its centre,
nine tenths of each side. The student is the float one, before any quantization.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import ImageOps
from pocketiqa.parity import ParityReport, compare, srcc
from pocketiqa.preprocess import preprocess
from tqdm import tqdm

from distill.data.degraded_photos import degraded_pixels, pristine_photos
from distill.data.training_photos import check_photos, read_photo
from distill.degradations.degrade import KINDS, LEVELS
from distill.experiments.leave_one_out import markdown
from distill.networks.student import INPUT_SPEC, SHIPPED_STUDENT, load_student

_KEPT = 0.9  # of each side, by the crop

# From pixels, uint8 H×W×3, to a score.
Scorer = Callable[[np.ndarray], float]


@dataclass(frozen=True)
class ConsistencyConfig:
    """What is measured.

    Attributes:
        images: a folder of undistorted photos that the student was not trained on.
        student: safetensors of a student.
    """

    images: Path
    student: Path = SHIPPED_STUDENT


@dataclass(frozen=True)
class Consistency:
    """Figures of one scorer over n photos; ``str`` is a Markdown table.

    Attributes:
        falls: kind → rank correlation of level and falling score in [-1, 1], the mean over photos; a ladder along
            which the score never moves counts as 0.
        flip: the mirrored photos against the photos.
        crop: the centres against the photos.
    """

    falls: dict[str, float]
    flip: ParityReport
    crop: ParityReport

    @property
    def monotonicity(self) -> float:
        """Mean over kinds."""
        return float(np.mean(list(self.falls.values())))

    def __str__(self) -> str:
        rows = {kind: [value] for kind, value in sorted(self.falls.items(), key=lambda item: item[1])}
        rows[f"**mean of {len(rows)} kinds**"] = [self.monotonicity]
        note = f"n = {self.flip.n} photos, each in {len(KINDS)} kinds × {len(LEVELS)} levels."
        changes = {
            name: [report.mean_abs, report.max_abs, report.srcc]
            for name, report in (("mirrored", self.flip), ("centre, nine tenths of each side", self.crop))
        }
        second = markdown("photo against itself", ["mean \\|Δ\\|", "max \\|Δ\\|", "SRCC"], changes, note)
        return markdown("kind", ["level and falling score"], rows, second)


def measure_consistency(config: ConsistencyConfig) -> Consistency:
    """The table of a student.

    Raises:
        MosSetError: no photos in the folder, or some that cannot be read.
        FileNotFoundError, ValueError: no student there.
    """
    photos = pristine_photos([config.images])
    check_photos(photos)
    student = load_student(config.student)

    @torch.inference_mode()
    def score(pixels: np.ndarray) -> float:
        return student(torch.from_numpy(preprocess(pixels, INPUT_SPEC)))[0][0, 0].item()

    return consistency(photos, score)


def consistency(photos: list[Path], score: Scorer) -> Consistency:
    """Figures of ``score`` over photos, of which a few are scored at a time."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        measured = list(tqdm(pool.map(partial(_of_one, score), photos), total=len(photos), desc="photos"))
    ladders, flipped, cropped = (np.array(part) for part in zip(*measured))
    falls = {kind: float(np.mean([falling(of_photo[row]) for of_photo in ladders])) for row, kind in enumerate(KINDS)}
    clean, names = ladders[:, 0, 0], [photo.name for photo in photos]
    return Consistency(falls, compare(clean, flipped, names), compare(clean, cropped, names))


def _of_one(score: Scorer, path: Path) -> tuple[list[list[float]], float, float]:
    """Scores of a photo's ladders, kinds × levels from 0, of its mirror image and of its centre."""
    photo = read_photo(path)
    clean = score(np.array(photo))
    ladders = [[clean, *(score(degraded_pixels(photo, kind, level, seed=0)) for level in LEVELS)] for kind in KINDS]
    width, height = photo.size
    left, top = round(width * (1 - _KEPT) / 2), round(height * (1 - _KEPT) / 2)
    centre = photo.crop((left, top, width - left, height - top))
    return ladders, score(np.array(ImageOps.mirror(photo))), score(np.array(centre))


def falling(scores: np.ndarray) -> float:
    """Rank correlation of level, 0 and up, and falling score; 0 where the score never moves."""
    correlation = srcc(-np.arange(len(scores)), scores)
    return 0.0 if math.isnan(correlation) else correlation
