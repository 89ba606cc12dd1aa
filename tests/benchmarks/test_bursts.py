"""Bursts made of one photo, and what is measured of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pocketiqa.errors import PocketiqaError
from pocketiqa.scorer import Result

from benchmarks.best_shots import measure_best_shots
from benchmarks.bursts import CLEAN, FAULTS, make_burst
from benchmarks.commands.bursts import bursts
from benchmarks.ladder_picks import measure_ladder_picks


class LikesLightAndDetail:
    """A scorer that takes no time."""

    def __call__(self, photo: str | np.ndarray) -> Result:
        pixels = np.asarray(Image.open(photo) if isinstance(photo, str) else photo, dtype=float)
        score = pixels.mean() / 1000 + min(np.abs(np.diff(pixels, axis=0)).mean(), 8) / 100
        return Result(None, float(score), {}, None, "none")


@pytest.fixture
def folder(tmp_path: Path, photos: dict[str, np.ndarray]) -> Path:
    for name, pixels in photos.items():
        Image.fromarray(pixels).resize((240, 160)).save(tmp_path / f"{name}.png")
    return tmp_path


def test_a_burst_holds_one_shot_of_each_fault_and_a_clean_one(photos: dict[str, np.ndarray]) -> None:
    photo = Image.fromarray(photos["coffee"])
    shots = make_burst(photo, 3, np.random.default_rng(1))
    assert sorted(shot.fault for shot in shots) == sorted([CLEAN, *FAULTS])
    assert {shot.pixels.shape for shot in shots} == {(360, 540, 3)} and {shot.pixels.dtype.name for shot in shots} == {
        "uint8"
    }
    of = {shot.fault: shot.pixels.astype(float) for shot in shots}
    assert of["dark"].mean() < of[CLEAN].mean() / 1.5
    detail = {fault: np.abs(np.diff(pixels, axis=0)).mean() for fault, pixels in of.items()}
    assert detail["blurred"] < detail[CLEAN] < detail["noisy"]
    again = make_burst(photo, 3, np.random.default_rng(1))
    assert all(np.array_equal(one.pixels, two.pixels) for one, two in zip(shots, again))


def test_the_figures_of_bursts_are_shares_and_print_as_tables(folder: Path) -> None:
    found = measure_best_shots(sorted(folder.iterdir()), LikesLightAndDetail(), 2)
    assert {level for level, _ in found.picks} == {1, 2, 3, 4, 5}
    assert found.beaten[5, "dark"] == 1 and found.photos == 5 * 2 * 6
    assert found.groups["likeness and time"] == (1, 1)
    assert "n = 2 bursts of 5 shots" in str(found)


def test_ladders_ask_every_kind_and_level(folder: Path) -> None:
    found = measure_ladder_picks(sorted(folder.iterdir())[:1], LikesLightAndDetail())
    assert len(found.shares) == 24 and found.shares["darken"][4] == 1 and found.shares["gaussian_blur"][4] == 1
    assert "mean of 24 kinds" in str(found)


def test_too_few_photos_are_a_mistake_in_words(folder: Path) -> None:
    with pytest.raises(PocketiqaError, match="200 bursts need 400"):
        bursts(folder)
