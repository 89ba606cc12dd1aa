"""The trial run's photos."""

from __future__ import annotations

from pathlib import Path

from distill.data.degraded_photos import pristine_photos
from distill.data.mos_sets import read_own_photos
from distill.data.smoke_photos import write_smoke_photos


def test_pristine_photos_and_scored_copies_of_others_lie_where_the_readers_find_them(tmp_path: Path) -> None:
    pristine, scored = write_smoke_photos(tmp_path)
    mos_set = read_own_photos(scored)
    assert len(pristine_photos([pristine])) == 2 and len(mos_set) == 12
    assert set(mos_set.sources) == {"even", "odd"}
    clean = [score for path, score in zip(mos_set.paths, mos_set.mos) if "clean" in path.name]
    assert len(clean) == 4 and min(clean) > mos_set.mos.mean()
