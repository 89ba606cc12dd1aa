"""The input tensor is what the spec says, for every photo."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pocketiqa.errors import BundleError, PhotoError
from pocketiqa.preprocess import PreprocessSpec, preprocess

SPEC = PreprocessSpec(height=96, width=128, views=("whole", "detail"))


def test_the_tensor_has_the_specs_shape_type_and_layout(photos: dict[str, np.ndarray]) -> None:
    for photo in photos.values():
        x = preprocess(photo, SPEC)
        assert x.shape == SPEC.shape == (2, 3, 96, 128)
        assert x.dtype == np.float32 and x.flags.c_contiguous
        assert 0 <= x.min() < x.max() <= 1


def test_a_path_an_image_and_an_array_give_the_same_tensor(
    photos: dict[str, np.ndarray], tmp_path: Path
) -> None:
    image = Image.fromarray(photos["chelsea"])
    image.save(tmp_path / "ünï\ncode.png")
    x = preprocess(photos["chelsea"], SPEC)
    assert np.array_equal(x, preprocess(image, SPEC))
    assert np.array_equal(x, preprocess(tmp_path / "ünï\ncode.png", SPEC))
    assert np.array_equal(x, preprocess(str(tmp_path / "ünï\ncode.png"), SPEC))


def test_channels_are_red_green_blue() -> None:
    colour = np.zeros((200, 200, 3), np.uint8)
    colour[:] = (255, 127, 0)
    x = preprocess(colour, SPEC)
    assert np.allclose(x[:, 0], 1) and np.allclose(x[:, 1], 127 / 255) and np.allclose(x[:, 2], 0)


def test_the_whole_view_is_pillows_antialiased_bicubic_resize(photos: dict[str, np.ndarray]) -> None:
    resized = Image.fromarray(photos["coffee"]).resize((128, 96), Image.Resampling.BICUBIC)
    expected = np.asarray(resized).astype(np.float32) / 255
    assert np.array_equal(preprocess(photos["coffee"], SPEC)[0], expected.transpose(2, 0, 1))


def test_the_detail_view_of_an_ordinary_photo_is_its_untouched_centre(photos: dict[str, np.ndarray]) -> None:
    photo = photos["astronaut"]
    centre = photo[(512 - 96) // 2 : (512 + 96) // 2, (512 - 128) // 2 : (512 + 128) // 2]
    assert np.array_equal(preprocess(photo, SPEC)[1] * 255, centre.transpose(2, 0, 1))


def test_the_detail_view_of_a_large_photo_is_the_centre_of_its_reduction(
    photos: dict[str, np.ndarray],
) -> None:
    spec = PreprocessSpec(height=96, width=128, views=("detail",), detail_short_side=256)
    large = Image.fromarray(photos["astronaut"])
    reduced = np.asarray(large.resize((256, 256), Image.Resampling.BICUBIC)).astype(int)
    centre = reduced[80:176, 64:192].transpose(2, 0, 1)
    assert np.abs(preprocess(large, spec)[0] * 255 - centre).mean() < 1


@pytest.mark.parametrize(
    "size", [(16, 16), (17, 3000), (3000, 17), (97, 127), (128, 96), (129, 4001), (1023, 1025)]
)
def test_every_size_and_aspect_ratio_fills_both_views(size: tuple[int, int]) -> None:
    x = preprocess(np.full((*size, 3), 200, np.uint8), SPEC)
    assert x.shape == SPEC.shape and np.allclose(x, 200 / 255)


def test_no_size_carries_the_detail_box_over_the_edge() -> None:
    for height in range(16, 130, 3):
        for width in range(16, 130, 7):
            preprocess(np.zeros((height, width, 3), np.uint8), SPEC)


def test_the_spec_survives_json() -> None:
    assert PreprocessSpec.from_dict(json.loads(json.dumps(SPEC.to_dict()))) == SPEC


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"height": 0}, "height"),
        ({"width": 1e9}, "width"),
        ({"width": True}, "width"),
        ({"views": []}, "views"),
        ({"views": ["whole", "whole"]}, "views"),
        ({"views": ["corner"]}, "views"),
        ({"views": [["whole"]]}, "wrong type"),
        ({"detail_short_side": -1}, "detail_short_side"),
        ({"resample": "nearest"}, "resample"),
        ({"resample": []}, "wrong type"),
        ({"reduction": "thirds"}, "reduction is 'thirds'; implemented are none, halves"),
        ({"reduction": []}, "reduction"),
        ({"reduction": "halves", "resample": "lanczos"}, "halves needs bicubic"),
        ({"colour_order": "BGR"}, "colour_order"),
        ({"value_range": [0, 255]}, "value_range"),
        ({"layout": "NHWC"}, "layout"),
        ({"mean": [0.5]}, "unknown fields"),
    ],
)
def test_a_spec_that_is_not_implemented_is_refused_by_name(change: dict, reason: str) -> None:
    with pytest.raises(BundleError, match=reason):
        PreprocessSpec.from_dict({**SPEC.to_dict(), **change})


def test_a_spec_must_be_an_object_with_a_size() -> None:
    with pytest.raises(BundleError, match="must be an object"):
        PreprocessSpec.from_dict([96, 128])
    with pytest.raises(BundleError, match="lacks height and width"):
        PreprocessSpec.from_dict({})


def test_a_photo_that_is_too_small_is_refused() -> None:
    with pytest.raises(PhotoError, match="too small"):
        preprocess(np.zeros((1, 1, 3), np.uint8), SPEC)
