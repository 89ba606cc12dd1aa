"""A large photo is halved before its views are cut: by libjpeg while it decodes, else by the mean of squares."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from pocketiqa import PhotoError, PhotoLimits, Scorer
from pocketiqa.bundle import Bundle
from pocketiqa.halving import factor_of, halved, jpeg_factor_of
from pocketiqa.manifest import Manifest
from pocketiqa.photo import read_photo
from pocketiqa.preprocess import PreprocessSpec, preprocess

ENOUGH = 64
WALL = Path(__file__).parents[2] / "mobile_export" / "golden" / "inputs" / "wall.jpg"
SPEC = PreprocessSpec(40, 46, ("whole", "detail"), detail_short_side=46, reduction="halves")
KINDS = {
    "baseline": ("RGB", {}),
    "fine": ("RGB", {"quality": 95, "subsampling": 0}),
    "narrow chroma": ("RGB", {"subsampling": 1}),
    "progressive": ("RGB", {"progressive": True}),
    "restarts": ("RGB", {"restart_marker_rows": 1}),
    "RGB inside": ("RGB", {"keep_rgb": True}),
    "grey": ("L", {}),
    "four inks": ("CMYK", {}),
}


def encoded(image: Image.Image, style: str = "JPEG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, style, **options)
    return file.getvalue()


def by_pillow(jpeg: bytes, scale: int) -> Image.Image:
    """Pillow's own decoding at a scale, as RGB."""
    image = Image.open(io.BytesIO(jpeg))
    image.draft(None, (image.width // scale, image.height // scale))
    return image.convert("RGB")


@pytest.fixture(scope="module")
def coffee(photos: dict[str, np.ndarray]) -> Image.Image:
    return Image.fromarray(photos["coffee"]).resize((333, 257))


@pytest.mark.parametrize(
    ("short", "factor"), [(1024, 1), (2046, 1), (2047, 2), (2048, 2), (4092, 2), (4093, 4), (8185, 8), (16_400, 16)]
)
def test_a_photo_is_halved_while_its_short_side_rounded_up_stays_at_what_is_enough(short: int, factor: int) -> None:
    assert factor_of((short, 3 * short), 1024) == factor_of((3 * short, short), 1024) == factor
    assert jpeg_factor_of((short, short), 1024) == min(factor, 8)
    assert factor_of((short, short), None) == 1


def test_what_was_halved_is_not_halved_again_and_has_enough_left() -> None:
    for enough in (1, 2, 3, 16, 100, 1024):
        for short in [*range(1, 300), *range(1000, 9000, 7), 65_535]:
            factor = factor_of((short, short), enough)
            left = -(-short // factor)
            assert factor_of((left, left), enough) == 1 and (left >= enough or factor == 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", [127, 128, 253, 512, 515])
def test_a_jpeg_is_decoded_at_the_scale_with_pillows_pixels(coffee: Image.Image, kind: str, side: int) -> None:
    mode, options = KINDS[kind]
    jpeg = encoded(coffee.resize((side + 41, side)).convert(mode), **options)
    scale = jpeg_factor_of((side + 41, side), ENOUGH)
    assert scale == {127: 2, 128: 2, 253: 4, 512: 8, 515: 8}[side]
    picture = read_photo(jpeg, enough=ENOUGH)
    assert (picture.width, picture.height, picture.warning) == (side + 41, side, None)
    assert picture.rgb.size == (-(-(side + 41) // scale), -(-side // scale))
    assert np.array_equal(picture.rgb, by_pillow(jpeg, scale))
    assert np.array_equal(read_photo(jpeg).rgb, Image.open(io.BytesIO(jpeg)).convert("RGB"))


def test_a_jpeg_that_is_larger_than_libjpegs_scales_is_halved_on(coffee: Image.Image) -> None:
    jpeg = encoded(coffee.resize((1100, 1030)))
    assert np.array_equal(read_photo(jpeg, enough=ENOUGH).rgb, by_pillow(jpeg, 8).reduce(2))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_that_is_turned_is_halved_and_turned(coffee: Image.Image, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    jpeg = encoded(coffee, exif=exif)
    picture = read_photo(jpeg, enough=ENOUGH)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(jpeg)))
    small = by_pillow(jpeg, 4)
    small.getexif()[0x0112] = orientation
    assert (picture.width, picture.height) == upright.size
    assert np.array_equal(picture.rgb, ImageOps.exif_transpose(small))


def test_other_formats_images_and_arrays_become_means_of_squares(coffee: Image.Image) -> None:
    expected = means(np.asarray(coffee), 4)
    for photo in (encoded(coffee, "PNG"), encoded(coffee, "WEBP", lossless=True), coffee, np.asarray(coffee)):
        picture = read_photo(photo, enough=ENOUGH)
        assert (picture.width, picture.height) == coffee.size and np.array_equal(picture.rgb, expected)
        assert np.array_equal(preprocess(photo, SPEC), of_halved(Image.fromarray(expected)))


@pytest.mark.parametrize("size", [(180, 200), (182, 300), (183, 184), (257, 184), (190, 367)])
def test_the_whole_view_comes_from_means_as_often_as_twice_its_longer_side_is_left(
    coffee: Image.Image, size: tuple[int, int]
) -> None:
    spec = replace(SPEC, detail_short_side=1024)  # so that no photo here is halved for both views
    photo = coffee.resize(size)
    small = photo if min(size) < 183 else Image.fromarray(means(np.asarray(photo), 2))
    for given in (photo, encoded(photo, "PNG")):
        whole, detail = preprocess(given, spec)
        assert np.array_equal(whole, preprocess(small, spec.of_tensor)[0])
        assert np.array_equal(detail, preprocess(photo, spec.of_tensor)[1])


def test_the_whole_view_of_a_halved_photo_comes_from_it_halved_on(coffee: Image.Image) -> None:
    spec = replace(SPEC, width=16, height=20)
    assert (spec.enough, spec.enough_for_whole) == (ENOUGH, 40)
    jpeg = encoded(coffee.resize((333, 340)))
    assert np.array_equal(preprocess(jpeg, spec)[0], preprocess(by_pillow(jpeg, 4).reduce(2), spec.of_tensor)[0])


def of_halved(small: Image.Image) -> np.ndarray:
    """Both views of a halved photo of which no more can be halved, by the module's words."""
    plain = SPEC.of_tensor
    bicubic = preprocess(small, plain)
    lanczos = preprocess(small, replace(plain, resample="lanczos"))[1]
    mean = np.floor((np.rint(bicubic[1] * 255) + np.rint(lanczos * 255)) / 2)
    return np.stack([bicubic[0], (mean / 255).astype(np.float32)])


def test_a_halved_jpegs_detail_is_the_mean_of_two_resizes(coffee: Image.Image) -> None:
    jpeg = encoded(coffee)
    assert SPEC.enough == ENOUGH
    assert np.array_equal(preprocess(jpeg, SPEC), of_halved(by_pillow(jpeg, 4)))


def test_the_score_of_a_halved_photo_is_that_of_the_whole_one_within_a_hundredth() -> None:
    whole = Image.open(WALL).convert("RGB").resize((3824, 2868), Image.Resampling.BICUBIC)
    halving = Scorer()
    manifest = halving.bundle.manifest
    plain = Scorer(replace(halving.bundle, manifest=replace(manifest, input=manifest.input.of_tensor)))
    jpeg = encoded(whole, quality=92)
    assert halving(jpeg).score == pytest.approx(plain(jpeg).score, abs=0.01)
    assert halving(whole).score == pytest.approx(plain(whole).score, abs=0.01)


@pytest.mark.parametrize("factor", [2, 4, 8, 16])
def test_the_mean_of_a_square_is_the_stated_integer_also_at_the_edges(factor: int) -> None:
    noise = np.random.default_rng(factor)
    for height, width in [(64, 64), (65, 79), (80, 83)]:
        pixels = noise.choice([0, 1, 127, 128, 254, 255], (height, width, 3)).astype(np.uint8)
        enough = -(-min(height, width) // factor)
        assert factor_of((width, height), enough) == factor
        assert np.array_equal(halved(Image.fromarray(pixels), enough), means(pixels, factor))


def means(pixels: np.ndarray, factor: int) -> np.ndarray:
    """The module's formula, square by square."""
    height, width, _ = pixels.shape
    rows = []
    for top in range(0, height, factor):
        row = []
        for left in range(0, width, factor):
            square = pixels[top : top + factor, left : left + factor].reshape(-1, 3).astype(np.int64)
            row.append((square.sum(0) + len(square) // 2) * (2**24 // len(square)) // 2**24)
        rows.append(row)
    return np.array(rows, np.uint8)


def test_a_small_photo_is_the_same_with_and_without_halving(coffee: Image.Image) -> None:
    small = encoded(coffee.resize((140, 126)))
    assert np.array_equal(preprocess(small, SPEC), preprocess(small, replace(SPEC, reduction="none")))


def test_damage_is_told_at_every_scale_as_in_the_whole_picture(coffee: Image.Image) -> None:
    for options in ({}, {"progressive": True}, {"restart_marker_rows": 1}):
        jpeg = encoded(coffee, **options)
        cut = jpeg[: len(jpeg) * 985 // 1000]
        warning = read_photo(cut).warning
        assert warning is not None and read_photo(cut, enough=ENOUGH).warning == warning
        assert read_photo(cut, enough=ENOUGH).rgb.size == by_pillow(jpeg, 4).size
        with pytest.raises(PhotoError, match="of its picture can be read"):
            read_photo(jpeg[: len(jpeg) // 2] + bytes(len(jpeg) // 2), enough=ENOUGH)
        padded = read_photo(jpeg[:-2] + bytes(5000) + jpeg[-2:], enough=ENOUGH)
        assert padded.warning is None and np.array_equal(padded.rgb, by_pillow(jpeg, 4))


def test_the_limits_hold_before_what_is_enough(coffee: Image.Image) -> None:
    jpeg = encoded(coffee)
    with pytest.raises(PhotoError, match="too small to be judged; each side needs at least 300"):
        read_photo(jpeg, PhotoLimits(min_side=300), enough=ENOUGH)
    with pytest.raises(PhotoError, match="over the limit of 80000 pixels"):
        read_photo(encoded(coffee, "PNG"), PhotoLimits(max_pixels=80_000), enough=ENOUGH)
    reduced = read_photo(jpeg, PhotoLimits(max_pixels=80_000), enough=200)
    assert reduced.rgb.size == by_pillow(jpeg, 2).size and (reduced.width, reduced.height) == coffee.size


def test_a_colour_profile_is_applied_to_the_halved_picture(coffee: Image.Image) -> None:
    from pocketiqa import icc

    profile = icc.built("RGB", icc.ADOBE_RGB, 563 / 256)
    jpeg = encoded(coffee, quality=95, icc_profile=profile)
    plain, shown = (np.asarray(read_photo(one, enough=ENOUGH).rgb, int) for one in (encoded(coffee, quality=95), jpeg))
    assert np.abs(plain - shown).mean() > 2
    small = by_pillow(jpeg, 4)
    small.info["icc_profile"] = profile
    assert np.array_equal(shown, read_photo(small).rgb)


def test_a_manifest_of_version_1_is_read_and_scores_as_before(coffee: Image.Image, tiny_bundle: Path) -> None:
    values = json.loads((tiny_bundle / "manifest.json").read_text())
    assert values["schema_version"] == 1 and "reduction" not in values["input"]
    jpeg = encoded(coffee.resize((3900, 2900)))
    first = Scorer(tiny_bundle)
    whole = Image.open(io.BytesIO(jpeg)).convert("RGB")
    expected = np.stack([np.asarray(whole.resize((64, 64), Image.Resampling.BICUBIC), np.float32) / 255]).transpose(
        0, 3, 1, 2
    )
    assert np.array_equal(preprocess(jpeg, first.bundle.manifest.input)[:1], expected)
    spec = replace(first.bundle.manifest.input, reduction="halves")
    second = Scorer(replace(first.bundle, manifest=replace(first.bundle.manifest, input=spec)))
    assert second(jpeg).score != first(jpeg).score == pytest.approx(second(jpeg).score, abs=0.05)
    assert (second(jpeg).width, second(jpeg).height) == (3900, 2900)


def test_a_manifest_says_version_2_where_it_reduces_and_is_read_back() -> None:
    manifest = Bundle.open().manifest
    assert manifest.input.reduction == "halves" and manifest.to_dict()["schema_version"] == 2
    assert Manifest.from_dict(json.loads(json.dumps(manifest.to_dict()))) == manifest
    older = replace(manifest, input=manifest.input.of_tensor)
    assert older.to_dict()["schema_version"] == 1 and "reduction" not in older.to_dict()["input"]
    assert Manifest.from_dict(json.loads(json.dumps(older.to_dict()))) == older


@pytest.mark.parametrize(
    ("spec", "enough", "for_whole"),
    [
        (PreprocessSpec(320, 320, reduction="halves"), 1433, 640),
        (PreprocessSpec(320, 400, detail_short_side=96, reduction="halves"), 560, 800),
        (PreprocessSpec(320, 320), None, None),
    ],
)
def test_enough_is_what_the_larger_of_detail_and_view_needs_and_of_the_whole_view_twice_its_longer_side(
    spec: PreprocessSpec, enough: int | None, for_whole: int | None
) -> None:
    assert (spec.enough, spec.enough_for_whole) == (enough, for_whole)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system tells no peak of memory")
def test_twelve_megapixels_take_the_memory_of_three(coffee: Image.Image, tmp_path: Path) -> None:
    coffee.resize((4032, 3024)).save(tmp_path / "large.jpg", quality=80)
    coffee.save(tmp_path / "small.jpg")
    program = """
import sys
from pocketiqa import Bundle, preprocess
for photo in sys.argv[1:]:
    preprocess(photo, Bundle.open().manifest.input)
    print([line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")][0])
"""
    command = [sys.executable, "-c", program, str(tmp_path / "small.jpg"), str(tmp_path / "large.jpg")]
    small, large = map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    # Four bytes a pixel as libjpeg gives them, and four in Pillow.
    assert (large - small) * 1024 < 1.5 * 8 * 2016 * 1512
