"""Random windows: parts of the views at the views' scale, and another part each time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from pocketiqa.preprocess import PreprocessSpec, preprocess

from distill.data.windows import random_windows

SPEC = PreprocessSpec(height=96, width=96, views=("whole", "detail"), detail_short_side=200)


@pytest.fixture
def photo(photos: dict[str, np.ndarray]) -> Image.Image:
    return Image.fromarray(photos["coffee"])  # 600×400: twice the detail view's short side


def found_at(window: np.ndarray, view: np.ndarray) -> float:
    """The least mean difference between a window and any place of a view."""
    side = window.shape[1]
    places = [
        np.abs(view[:, top : top + side, left : left + side] - window).mean()
        for top in range(view.shape[1] - side + 1)
        for left in range(view.shape[2] - side + 1)
    ]
    return min(places)


def test_a_window_is_a_part_of_its_view(photo: Image.Image) -> None:
    whole, detail = random_windows(photo, SPEC, 64, np.random.default_rng(0))
    assert whole.shape == detail.shape == (3, 64, 64) and whole.dtype == np.float32
    assert found_at(whole, preprocess(photo, replace(SPEC, views=("whole",)))[0]) < 0.004
    reduced = photo.resize((300, 200), Image.Resampling.BICUBIC)  # the detail view's scale, all of it
    everywhere = np.asarray(reduced, dtype=np.float32).transpose(2, 0, 1) / 255
    assert found_at(detail, everywhere) < 0.004
    assert found_at(detail, everywhere[:, :150]) > 0.004 or found_at(detail, everywhere[:, 50:]) > 0.004


def test_native_pixels_stay_native(photos: dict[str, np.ndarray]) -> None:
    photo = Image.fromarray(photos["chelsea"][:180, :220])
    _, detail = random_windows(photo, SPEC, 64, np.random.default_rng(1))
    assert found_at(detail, np.asarray(photo, dtype=np.float32).transpose(2, 0, 1) / 255) == 0


def test_each_draw_is_another_window_and_the_same_seed_the_same(photo: Image.Image) -> None:
    first, second, again = (random_windows(photo, SPEC, 64, np.random.default_rng(seed)) for seed in (1, 2, 1))
    assert np.array_equal(first, again) and not np.array_equal(first[0], second[0])
    assert not np.array_equal(first[1], second[1])


def test_a_photo_smaller_than_the_view_is_enlarged_and_a_window_larger_than_it_refused(photo: Image.Image) -> None:
    small = random_windows(photo.resize((50, 40)), SPEC, 96, np.random.default_rng(0))
    assert small.shape == (2, 3, 96, 96) and np.isfinite(small).all()
    with pytest.raises(ValueError, match="window of 97 pixels does not fit"):
        random_windows(photo, SPEC, 97, np.random.default_rng(0))
