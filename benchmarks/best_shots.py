"""Does ``pocketiqa best`` find the shots of a burst, and among them the clean one?

Bursts are made of single photos (``bursts.py``), saved as JPEG with the time in their EXIF, half a second between two
shots, and mixed with as many photos that are no burst. 2 to 60 seconds lie between two scenes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import ExifTags, Image
from pocketiqa.best_shot import Shot, ranked
from pocketiqa.binomial import interval
from pocketiqa.glance import Glance, glance_at
from pocketiqa.scorer import Scorer
from pocketiqa.shot_groups import group_shots
from tabulate import tabulate
from tqdm import tqdm

from benchmarks.bursts import CLEAN, FAULTS, make_burst
from distill.data.training_photos import read_photo
from distill.degradations.degrade import LEVELS

_BETWEEN_SHOTS = 0.5
_BETWEEN_SCENES = (2, 60)
_SECONDS = 10  # as the command's default


@dataclass(frozen=True)
class BestShots:
    """Figures of one scorer; ``str`` is three Markdown tables, the picks with their 95 % interval.

    Attributes:
        picks: (level, by what the best is chosen) → share of bursts whose clean shot is the best.
        beaten: (level, fault) → share of bursts whose clean shot is better than the one with the fault.
        groups: with which times → precision and recall of the pairs that are grouped.
        bursts: how many at each level.
        photos: how many in all were grouped.
    """

    picks: dict[tuple[int, str], float]
    beaten: dict[tuple[int, str], float]
    groups: dict[str, tuple[float, float]]
    bursts: int
    photos: int

    def __str__(self) -> str:
        by, levels = sorted({name for _, name in self.picks}), sorted({level for level, _ in self.picks})
        picked = [[level, *(self._with_interval(self.picks[level, name]) for name in by)] for level in levels]
        beaten = [[level, *(self.beaten[level, fault] for fault in FAULTS)] for level in levels]
        tables = (
            tabulate(picked, ["level", *(f"clean shot is best, by {name}" for name in by)], "pipe"),
            tabulate(beaten, ["level", *(f"better than the {fault} shot" for fault in FAULTS)], "pipe", floatfmt=".3f"),
            tabulate([[name, *pair] for name, pair in self.groups.items()],
                     ["grouped by", "pairs: precision", "pairs: recall"], "pipe", floatfmt=".4f"),
        )  # fmt: skip
        note = f"n = {self.bursts} bursts of {1 + len(FAULTS)} shots at each level; {self.photos} photos are grouped."
        return "\n\n".join([*tables, note])

    def _with_interval(self, share: float) -> str:
        low, high = interval(round(share * self.bursts), self.bursts)
        return f"{share:.3f} ({low:.3f} to {high:.3f})"


def measure_best_shots(photos: list[Path], scorer: Scorer, bursts: int, seed: int = 0) -> BestShots:
    """Make bursts and measure.

    Args:
        photos: undistorted, at least twice as many as there are bursts; one burst a photo and level, the rest alone.
        scorer: of the bundle.
        bursts: how many at each level.
        seed: of all that is random.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(photos))
    of_bursts, alone = order[:bursts], order[bursts : 2 * bursts]
    clean_is_best: dict[tuple[int, str], list[bool]] = {}
    clean_is_better: dict[tuple[int, str], list[bool]] = {}
    mixtures: list[list[tuple[int, Glance]]] = []
    for level in LEVELS:
        mixture, clock = [], datetime(2026, 11, 27, 10)
        for burst, single in tqdm(list(zip(of_bursts, alone)), desc=f"level {level}"):
            faults, shots = [], []
            with TemporaryDirectory() as folder:
                for shot in make_burst(read_photo(photos[burst]), level, rng):
                    clock += timedelta(seconds=_BETWEEN_SHOTS)
                    path = _saved(shot.pixels, clock, Path(folder) / f"{shot.fault}.jpg")
                    result, glance = scorer(path), glance_at(path)
                    mixture.append((int(burst), glance))
                    faults.append(shot.fault)
                    shots.append(Shot(result.score, result.attributes, glance.tones))
                clock += timedelta(seconds=rng.uniform(*_BETWEEN_SCENES))
                path = _saved(np.asarray(read_photo(photos[single])), clock, Path(folder) / "alone.jpg")
                mixture.append((int(single), glance_at(path)))
                clock += timedelta(seconds=rng.uniform(*_BETWEEN_SCENES))
            by_score = faults[int(np.argmax([shot.score for shot in shots]))]
            by_merit = faults[ranked(shots)[0]]
            clean_is_best.setdefault((level, "score"), []).append(by_score == CLEAN)
            clean_is_best.setdefault((level, "merit"), []).append(by_merit == CLEAN)
            merits = dict(zip(faults, (shot.merit for shot in shots)))
            for fault in FAULTS:
                clean_is_better.setdefault((level, fault), []).append(merits[CLEAN] > merits[fault])
        mixtures.append(mixture)
    return BestShots(
        {key: float(np.mean(values)) for key, values in clean_is_best.items()},
        {key: float(np.mean(values)) for key, values in clean_is_better.items()},
        {"likeness and time": _agreement(mixtures, _SECONDS), "likeness alone": _agreement(mixtures, -1)},
        bursts,
        sum(map(len, mixtures)),
    )


def _saved(pixels: np.ndarray, taken: datetime, path: Path) -> str:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif).update({
        ExifTags.Base.DateTimeOriginal: taken.strftime("%Y:%m:%d %H:%M:%S"),
        ExifTags.Base.SubsecTimeOriginal: f"{taken.microsecond // 1000:03}",
    })  # fmt: skip
    Image.fromarray(pixels).save(path, quality=92, exif=exif)
    return str(path)


def _agreement(mixtures: list[list[tuple[int, Glance]]], seconds: float) -> tuple[float, float]:
    """Precision and recall of grouped pairs, over all mixtures together."""
    grouped = right = wanted = 0
    for mixture in mixtures:
        scenes = [scene for scene, _ in mixture]
        wanted += sum(n * (n - 1) // 2 for n in np.unique(scenes, return_counts=True)[1])
        for group in group_shots([glance for _, glance in mixture], seconds):
            pairs = [scenes[one] == scenes[two] for one, two in combinations(group, 2)]
            grouped, right = grouped + len(pairs), right + sum(pairs)
    return right / grouped, right / wanted
