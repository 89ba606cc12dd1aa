"""Calibration photos: dealt out the same every time, too few or noise refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from distill.student import INPUT_SPEC
from quantize.calibration import CalibrationError, digest, load_inputs, neighbour_correlation, split_photos


@pytest.fixture
def folder(tmp_path: Path, photos: dict[str, np.ndarray]) -> Path:
    for number in range(40):
        photo = list(photos.values())[number % len(photos)]
        Image.fromarray(photo[number : number + 64, :64]).save(tmp_path / f"{number:02}.png")
    return tmp_path


def test_the_three_uses_share_no_photo_and_take_all(folder: Path) -> None:
    split = split_photos(folder, calibration=20, fine_tuning=10, validation=10, seed=0)
    assert [len(split.calibration), len(split.fine_tuning), len(split.validation)] == [20, 10, 10]
    assert len({*split.calibration, *split.fine_tuning, *split.validation}) == 40


def test_the_same_seed_deals_the_same_photos(folder: Path) -> None:
    first, second, third = (split_photos(folder, 20, 10, 10, seed) for seed in (0, 0, 1))
    assert first == second != third
    assert digest(first.calibration) == digest(second.calibration) != digest(third.calibration)


def test_a_small_folder_is_shared_in_proportion(folder: Path) -> None:
    split = split_photos(folder, calibration=40, fine_tuning=20, validation=20, seed=0)
    assert [len(split.calibration), len(split.fine_tuning), len(split.validation)] == [20, 10, 10]


def test_too_few_photos_are_refused_with_the_number_that_would_do(folder: Path) -> None:
    with pytest.raises(CalibrationError, match="at least 16"):
        split_photos(folder, calibration=64, fine_tuning=200, validation=100, seed=0)


def test_photographs_load_as_the_students_input(folder: Path) -> None:
    assert {tuple(views.shape) for views in load_inputs(sorted(folder.iterdir())[:3])} == {INPUT_SPEC.shape}


def test_noise_is_refused_with_the_reason(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    with pytest.raises(CalibrationError, match="looks like noise"):
        load_inputs([tmp_path / "noise.png"])


def test_an_unreadable_photo_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"not a photo")
    with pytest.raises(CalibrationError, match=r"broken\.jpg cannot calibrate"):
        load_inputs([tmp_path / "broken.jpg"])


def test_a_flat_picture_is_no_noise() -> None:
    assert neighbour_correlation(np.full((8, 8), 7, dtype=np.uint8)) == 1
