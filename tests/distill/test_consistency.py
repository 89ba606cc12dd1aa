"""Monotonicity, flip and crop of scorers whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from distill.data import consistency as module
from distill.data.consistency import consistency
from distill.degradations.degrade import KINDS


@pytest.fixture
def two_photos(tmp_path: Path, photos: dict[str, np.ndarray]) -> list[Path]:
    for name in ("coffee", "chelsea"):
        Image.fromarray(photos[name][:70, :90]).save(tmp_path / f"{name}.png")
    return sorted(tmp_path.iterdir())


@pytest.fixture
def levels_as_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Degraded photos are black with their level in the first pixel."""

    def degraded_pixels(photo: Image.Image, kind: str, level: int, seed: int) -> np.ndarray:
        pixels = np.zeros((*photo.size[::-1], 3), dtype=np.uint8)
        pixels[0, 0] = level
        return pixels

    monkeypatch.setattr(module, "degraded_pixels", degraded_pixels)


def _known(pixels: np.ndarray) -> float:
    """Falls with the level, and is above all levels for a photo."""
    return 1.0 if pixels[1:].any() else 0.9 - pixels[0, 0, 0] / 10


@pytest.mark.usefixtures("levels_as_pixels")
def test_a_score_that_falls_with_every_level_is_monotone_in_all_kinds_and_its_negative_in_none(
    two_photos: list[Path],
) -> None:
    falling = consistency(two_photos, _known)
    assert set(falling.falls) == set(KINDS) and set(falling.falls.values()) == {1.0}
    assert falling.monotonicity == 1.0
    assert consistency(two_photos, lambda pixels: -_known(pixels)).monotonicity == -1.0


@pytest.mark.usefixtures("levels_as_pixels")
def test_a_score_that_never_moves_is_not_monotone(two_photos: list[Path]) -> None:
    assert consistency(two_photos, lambda pixels: 0.5).monotonicity == 0.0


@pytest.mark.usefixtures("levels_as_pixels")
def test_a_symmetric_scorer_does_not_see_the_mirror_and_another_does(two_photos: list[Path]) -> None:
    symmetric = consistency(two_photos, lambda pixels: float(pixels.astype(int).sum()))
    assert symmetric.flip.max_abs == 0 and symmetric.crop.mean_abs > 0
    left = consistency(two_photos, lambda pixels: float(pixels[:, : pixels.shape[1] // 2].mean()))
    assert left.flip.max_abs >= left.flip.mean_abs > 0


@pytest.mark.usefixtures("levels_as_pixels")
def test_the_crop_is_the_centre_and_nine_tenths_of_each_side(two_photos: list[Path]) -> None:
    seen: set[tuple[int, ...]] = set()

    def middle(pixels: np.ndarray) -> float:
        seen.add(pixels.shape[:2])
        height, width = pixels.shape[:2]
        return float(pixels[height // 2 - 5 : height // 2 + 5, width // 2 - 5 : width // 2 + 5].mean())

    assert consistency(two_photos, middle).crop.max_abs == 0
    assert seen == {(70, 90), (64, 82)}


@pytest.mark.usefixtures("levels_as_pixels")
def test_saving_as_jpeg_moves_pixels_a_little_and_no_size(two_photos: list[Path]) -> None:
    found = consistency(two_photos, lambda pixels: float(pixels.mean()))
    assert 0 < found.jpeg.max_abs < 1
    assert consistency(two_photos, lambda pixels: float(pixels.shape[1])).jpeg.max_abs == 0


def test_real_degradations_of_real_photos_take_detail_from_blurs_and_the_table_says_so(two_photos: list[Path]) -> None:
    def detail(pixels: np.ndarray) -> float:
        return float(np.abs(np.diff(pixels.astype(float), axis=1)).mean())

    found = consistency(two_photos, detail)
    assert all(found.falls[kind] > 0.9 for kind in ("gaussian_blur", "lens_blur"))
    assert found.falls["white_noise"] < -0.9
    lines = [" ".join(line.split()) for line in str(found).splitlines()]
    assert f"| **mean of 24 kinds** | {found.monotonicity:.3f} |" in lines
    assert lines[-1] == "n = 2 photos, each in 24 kinds × 5 levels."
