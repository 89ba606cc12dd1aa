"""``python -m benchmarks bursts``."""

from __future__ import annotations

from pathlib import Path

from pocketiqa.errors import PocketiqaError
from pocketiqa.scorer import Scorer

from benchmarks.best_shots import measure_best_shots
from benchmarks.ladder_picks import measure_ladder_picks
from distill.data.degraded_photos import pristine_photos


def bursts(images: Path, bundle: Path | None = None, variant: str = "int8", count: int = 200, ladders: int = 20) -> int:
    """Does ``pocketiqa best`` group the shots of a burst, and pick the clean one among blurred, shaken, noisy and dark?

    Args:
        images: A folder of undistorted photos, at least twice as many as --count.
        bundle: The bundle's folder or packed file; without it the one inside the pocketiqa package.
        variant: Which program: int8, or fp32 for the float student.
        count: Bursts at each of five levels.
        ladders: Photos beside each of their degraded copies, 24 kinds at five levels; 0 leaves this out.
    """
    photos = pristine_photos([images])
    if len(photos) < 2 * count:
        raise PocketiqaError(f"{images} holds {len(photos)} photos; {count} bursts need {2 * count}, or give --count")
    scorer = Scorer(bundle, variant)
    print(measure_best_shots(photos, scorer, count))
    if ladders:
        print(f"\n{measure_ladder_picks(photos[:ladders], scorer)}")
    return 0
