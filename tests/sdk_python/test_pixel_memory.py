"""Pillow keeps picture memory while photos are scored, and is left as it was found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from pocketiqa.pixel_memory import pixel_memory_kept
from pocketiqa.scorer import Scorer


def test_the_largest_wish_holds_until_its_owner_is_done_whoever_ends_first() -> None:
    before = Image.core.get_blocks_max()
    small, large = pixel_memory_kept(1), pixel_memory_kept(4)
    small.__enter__()
    assert Image.core.get_blocks_max() == 6
    large.__enter__()
    assert Image.core.get_blocks_max() == 24
    large.__exit__(None, None, None)
    assert Image.core.get_blocks_max() == 6
    with pixel_memory_kept(2):
        small.__exit__(None, None, None)
        assert Image.core.get_blocks_max() == 12
    assert Image.core.get_blocks_max() == before


def test_a_batch_that_is_left_early_gives_the_memory_back(tiny_bundle: Path, photos: dict[str, np.ndarray]) -> None:
    before = Image.core.get_blocks_max()
    results = Scorer(tiny_bundle).batch(list(photos.values()), workers=2)
    next(results)
    assert Image.core.get_blocks_max() > before
    results.close()
    assert Image.core.get_blocks_max() == before
