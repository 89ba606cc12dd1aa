"""Is the undistorted photo the better of two, beside each kind and level of degradation?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from pocketiqa.best_shot import Shot
from pocketiqa.glance import tones_of
from pocketiqa.scorer import Scorer
from tabulate import tabulate
from tqdm import tqdm

from distill.data.degraded_photos import degraded_pixels
from distill.data.training_photos import read_photo
from distill.degradations.degrade import KINDS, LEVELS


@dataclass(frozen=True)
class LadderPicks:
    """``shares[kind][level - 1]``: of n photos, the share that is better than its degraded copy; ``str`` is a Markdown
    table."""

    shares: dict[str, list[float]]
    n: int

    def __str__(self) -> str:
        rows = [[kind, *shares] for kind, shares in self.shares.items()]
        rows.append([f"**mean of {len(rows)} kinds**", *np.mean([shares for _, *shares in rows], axis=0)])
        headers = ["degradation", *(f"level {level}" for level in LEVELS)]
        return f"{tabulate(rows, headers, 'pipe', floatfmt='.2f')}\n\nn = {self.n} photos."


def shot_of(pixels: np.ndarray, scorer: Scorer) -> Shot:
    """What ``pocketiqa best`` judges a photo by, uint8 H×W×3."""
    result = scorer(pixels)
    return Shot(result.score, result.attributes, tones_of(Image.fromarray(pixels)))


def measure_ladder_picks(photos: list[Path], scorer: Scorer) -> LadderPicks:
    """Figures of one scorer, by the merit that ``pocketiqa best`` ranks by."""

    better = np.zeros((len(KINDS), len(LEVELS)))
    for seed, photo in enumerate(tqdm(photos, desc="ladders")):
        original = read_photo(photo)
        clean = shot_of(np.asarray(original), scorer).merit
        for row, kind in enumerate(KINDS):
            copies = (degraded_pixels(original, kind, level, seed) for level in LEVELS)
            better[row] += [clean > shot_of(copy, scorer).merit for copy in copies]
    return LadderPicks(dict(zip(KINDS, (better / len(photos)).tolist())), len(photos))
