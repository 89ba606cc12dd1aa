"""The golden photos are what the command makes of the packages' photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from mobile_export.bundle.golden import FOLDER, golden_photos, write_golden


def test_there_are_twenty_four_small_photographs() -> None:
    photos = golden_photos()
    assert len(photos) == 24
    assert sum(path.stat().st_size for path in photos) < 1_000_000


def test_the_committed_photos_can_be_made_anew(tmp_path: Path) -> None:
    for path in write_golden(tmp_path):
        same = FOLDER / path.relative_to(tmp_path)
        made, committed = (np.asarray(Image.open(photo), dtype=float) for photo in (path, same))
        # Another libjpeg may round some pixels the other way.
        assert np.abs(made - committed).mean() < 1
