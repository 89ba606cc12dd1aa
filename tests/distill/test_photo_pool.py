"""Photos as squares of pixels on the device that trains, and the views that networks see of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pocketiqa.preprocess import PreprocessSpec, preprocess
from skimage import data

from distill.data.degraded_photos import CLEAN, DegradedPhoto
from distill.data.device_views import views_of
from distill.data.fill_pool import by_side, fill_pool, one_copy_each, square
from distill.data.photo_pool import PhotoPool
from distill.networks.student import INPUT_SPEC
from distill.teacher.clip_features import CLIP_INPUT

_CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    Image.fromarray(data.astronaut()).save(folder / "astronaut.png")  # 512×512
    Image.fromarray(data.coffee()).save(folder / "coffee.png")  # 600×400
    Image.fromarray(data.rocket()).resize((300, 200)).save(folder / "rocket.png")
    return folder


@pytest.fixture(scope="module")
def pool(folder: Path) -> PhotoPool:
    return fill_pool(one_copy_each([folder / "astronaut.png"], 0), 512, _CPU, workers=0)


def _crop(pool: PhotoPool, side: int, place: tuple[float, float], mirrored: bool = False) -> torch.Tensor:
    return pool.crops(torch.tensor([0]), side, torch.tensor([place]), torch.tensor([mirrored]))[0]


def test_the_whole_square_is_the_photo_and_the_copy_behind_it_is_not(pool: PhotoPool) -> None:
    pixels = torch.from_numpy(data.astronaut()).permute(2, 0, 1)
    assert torch.equal(pool.pixels[0], pixels) and not torch.equal(pool.pixels[1], pixels)
    assert [level > 0 for level in pool.levels] == [False, True] and pool.undistorted == [0]
    assert torch.equal(_crop(pool, 512, (0.9, 0.9)), pixels.float() / 255)


@pytest.mark.parametrize(
    ("place", "down", "right"), [((0.0, 0.0), 0, 0), ((0.0, 0.999), 0, 192), ((0.999, 0.0), 192, 0)]
)
def test_a_crop_is_cut_where_it_was_asked_for(
    pool: PhotoPool, place: tuple[float, float], down: int, right: int
) -> None:
    expected = pool.pixels[0][:, down : down + 320, right : right + 320].float() / 255
    assert torch.equal(_crop(pool, 320, place), expected)
    assert torch.equal(_crop(pool, 320, place, mirrored=True), expected.flip(-1))


def test_a_square_is_the_middle_of_the_photo(folder: Path) -> None:
    with Image.open(folder / "coffee.png") as coffee:
        middle = np.asarray(coffee)[:, 100:500]
        assert np.array_equal(np.asarray(square(coffee, 400)), middle)
        assert square(coffee, 384).size == (384, 384)


def test_photos_go_to_the_largest_side_that_they_reach_and_small_ones_to_the_smallest(folder: Path) -> None:
    names = ("astronaut", "coffee", "rocket")
    sorted_ = by_side([DegradedPhoto(folder / f"{name}.png", CLEAN, 0, 0) for name in names])
    found = {side: [copy.photo.stem for copy in copies] for side, copies in sorted_.items()}
    assert found == {512: ["astronaut"], 384: ["coffee", "rocket"]}


def test_processes_that_decode_ahead_change_no_pixel_and_no_order(folder: Path) -> None:
    copies = one_copy_each(sorted(folder.glob("*.png")), 0)
    alone, together = (fill_pool(copies, 384, _CPU, workers) for workers in (0, 2))
    assert torch.equal(alone.pixels, together.pixels)


@pytest.mark.parametrize("spec", [INPUT_SPEC, CLIP_INPUT, PreprocessSpec(256, 256, ("detail",))])
@pytest.mark.parametrize("side", [512, 416, 320])
def test_views_on_the_device_are_the_sdks_to_a_few_steps_of_eight_bits(
    spec: PreprocessSpec, side: int, pool: PhotoPool
) -> None:
    photo = pool.pixels[:1, :, :side, :side]
    expected = torch.from_numpy(preprocess(photo[0].permute(1, 2, 0).numpy(), spec))
    got = views_of(photo.float() / 255, spec)[0]
    assert got.shape == expected.shape
    assert (got - expected).abs().max() <= 5.001 / 255
    assert (got - expected).abs().mean() < 0.2 / 255


def test_photos_that_the_sdk_would_halve_are_refused_on_the_device() -> None:
    spec = PreprocessSpec(16, 16, reduction="halves")
    assert views_of(torch.zeros(1, 3, 62, 62), spec).shape == (1, 1, 3, 16, 16)
    with pytest.raises(ValueError, match="photos of 63 pixels a side are halved for their views; give at most 62"):
        views_of(torch.zeros(1, 3, 63, 63), spec)
