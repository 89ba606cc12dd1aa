"""Any photo becomes one upright 8-bit sRGB picture, or one clear line."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from pocketiqa.errors import PhotoError
from pocketiqa.photo import PhotoLimits, load_photo, open_photo, to_rgb


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


@pytest.fixture(scope="module")
def coffee(photos: dict[str, np.ndarray]) -> Image.Image:
    return Image.fromarray(photos["coffee"]).resize((300, 200))


def test_an_array_and_its_image_are_the_same_photo(coffee: Image.Image) -> None:
    array = np.array(coffee)
    assert np.array_equal(pixels(to_rgb(array)), array)
    assert np.array_equal(pixels(to_rgb(coffee)), array)


def test_a_read_only_and_a_strided_array_are_read_like_any_other(coffee: Image.Image) -> None:
    array = np.array(coffee)
    array.flags.writeable = False
    assert np.array_equal(pixels(to_rgb(array[::-1, ::2])), array[::-1, ::2])


@pytest.mark.parametrize("mode", ["L", "LA", "La", "I;16", "I;16B", "F"])
def test_a_grey_photo_is_its_rgb_copy_in_every_depth(coffee: Image.Image, mode: str) -> None:
    grey = coffee.convert("L")
    expected = pixels(grey.convert("RGB"))
    values = np.asarray(grey)
    if mode == "La":
        image = grey.convert("LA").convert("La")
    elif mode == "I;16":
        image = Image.fromarray(values.astype(np.uint16) * 257)
    elif mode == "I;16B":
        image = Image.frombytes("I;16B", grey.size, (values.astype(">u2") * 257).tobytes())
    else:
        image = grey.convert(mode)
    assert image.mode == mode
    assert np.array_equal(pixels(to_rgb(image)), expected)


@pytest.mark.parametrize(("scale", "dtype"), [(1 / 255, np.float32), (257, np.float32), (257, np.int32)])
def test_wide_pixels_are_scaled_from_the_range_they_fill(
    coffee: Image.Image, scale: float, dtype: type
) -> None:
    grey = np.asarray(coffee.convert("L"))
    image = Image.fromarray((grey.astype(np.float64) * scale).astype(dtype))
    assert np.array_equal(pixels(to_rgb(image))[..., 0], grey)


def test_values_between_two_levels_are_rounded_and_what_is_below_black_is_black() -> None:
    values = np.array([[0.4, 0.6, 99.5], [-3.0, 254.6, 255.0]], np.float32)
    grey = pixels(to_rgb(Image.fromarray(values.repeat(20, 0).repeat(20, 1))))[..., 0]
    assert grey[::20, ::20].tolist() == [[0, 1, 100], [0, 255, 255]]


def test_integers_beyond_16_bits_are_scaled_from_32_bits() -> None:
    image = Image.fromarray(np.full((20, 20), 2**31 - 1, np.int32))
    assert pixels(to_rgb(image)).min() == 255


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e9])
def test_floats_that_are_no_picture_are_refused(value: float) -> None:
    with pytest.raises(PhotoError, match=r"float picture"):
        to_rgb(Image.fromarray(np.full((20, 20), value, np.float32)))


@pytest.mark.parametrize(
    ("mode", "tolerance"), [("RGBX", 0), ("CMYK", 0), ("YCbCr", 2), ("HSV", 1), ("P", 20)]
)
def test_colour_modes_keep_their_colours(coffee: Image.Image, mode: str, tolerance: int) -> None:
    gap = np.abs(pixels(to_rgb(coffee.convert(mode))) - pixels(coffee))
    assert gap.mean() <= tolerance


def test_lab_is_converted_and_not_read_as_rgb(coffee: Image.Image) -> None:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    image = ImageCms.profileToProfile(coffee, srgb, lab, outputMode="LAB")
    assert np.abs(pixels(to_rgb(image)) - pixels(coffee)).mean() < 2


def test_a_bilevel_photo_is_black_and_white(coffee: Image.Image) -> None:
    assert set(np.unique(pixels(to_rgb(coffee.convert("1"))))) == {0, 255}


@pytest.mark.parametrize("mode", ["RGBA", "RGBa", "LA", "P", "PA"])
def test_what_is_transparent_shows_white(mode: str) -> None:
    image = Image.new("RGBA", (20, 20), (200, 10, 10, 0))
    if mode == "RGBa":
        image = image.convert("RGBa")
    elif mode == "LA":
        image = image.convert("LA")
    elif mode != "RGBA":
        image = Image.new("P", (20, 20), 1)
        image.putpalette([0, 0, 0, 200, 10, 10])
        image.info["transparency"] = 1
        image = image.convert(mode)
    assert image.mode == mode
    assert (pixels(to_rgb(image)) == 255).all()


def test_a_png_with_one_transparent_colour_shows_white_there(tmp_path: Path) -> None:
    image = Image.new("RGB", (20, 20), (1, 2, 3))
    image.paste((9, 9, 9), (0, 0, 10, 20))
    image.save(tmp_path / "keyed.png", transparency=(1, 2, 3))
    rgb = pixels(open_photo(tmp_path / "keyed.png"))
    assert (rgb[:, :10] == 9).all() and (rgb[:, 10:] == 255).all()


def test_half_transparent_is_halfway_to_white() -> None:
    rgb = pixels(to_rgb(Image.new("RGBA", (20, 20), (0, 0, 0, 128))))
    assert np.abs(rgb - 127).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_orientations_give_the_same_picture(
    coffee: Image.Image, tmp_path: Path, orientation: int
) -> None:
    undo = {
        2: 0,
        3: 3,
        4: 1,
        5: 5,
        6: 2,
        7: 6,
        8: 4,
    }  # as Image.Transpose: the inverse of what the tag asks for
    turned = coffee if orientation == 1 else coffee.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned.save(tmp_path / "turned.png", exif=exif)
    turned.save(tmp_path / "turned.tiff", exif=exif)
    assert np.array_equal(pixels(open_photo(tmp_path / "turned.png")), pixels(coffee))
    assert np.array_equal(pixels(open_photo(tmp_path / "turned.tiff")), pixels(coffee))
    assert np.array_equal(pixels(to_rgb(Image.open(tmp_path / "turned.png"))), pixels(coffee))


@pytest.mark.parametrize("orientation", [0, 9, 77, "six"])
def test_an_orientation_that_does_not_exist_is_no_orientation(
    coffee: Image.Image, orientation: object
) -> None:
    image = coffee.copy()
    image.getexif()[0x0112] = orientation
    assert np.array_equal(pixels(to_rgb(image)), pixels(coffee))


TURNED = {  # what each orientation asks for, in numpy's words
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: np.rot90(x.swapaxes(0, 1), 2),
    8: lambda x: np.rot90(x, 1),
}


def as_exif_asks(array: np.ndarray, image: Image.Image) -> np.ndarray:
    """The array turned as the image's orientation tag says, where Pillow can read one that is an integer."""
    try:
        orientation = image.getexif().get(0x0112)
    except Exception:
        return array
    return TURNED.get(orientation, lambda x: x)(array) if isinstance(orientation, int) else array


@st.composite
def exif_blocks(draw: st.DrawFn) -> bytes:
    """EXIF with an orientation of any type among other tags, its bytes perhaps damaged."""
    value = draw(st.integers(0, 9))
    kind, count, field = draw(
        st.sampled_from(
            [
                (3, 1, struct.pack("<HH", value, 0)),
                (3, 2, struct.pack("<HH", value, value)),
                (4, 1, struct.pack("<L", value)),
                (1, 1, bytes([value, 0, 0, 0])),
                (2, 2, b"6\0\0\0"),
                (5, 1, struct.pack("<L", 38)),
                (11, 1, struct.pack("<f", value)),
            ]
        )
    )
    maker = struct.pack("<HHL4s", 0x010F, 2, 4, b"cam\0")
    turn = struct.pack("<HHL4s", 0x0112, kind, count, field)
    header = b"Exif\0\0II*\0" + struct.pack("<LH", 8, 2)
    content = bytearray(header + maker + turn + struct.pack("<LLL", 0, value, 1))
    for place, value in draw(st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=3)):
        content[place] = value
    return bytes(content[: draw(st.sampled_from([len(content), len(content) - 9, 26, 7]))])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(exif_blocks(), st.sampled_from(["RGB", "L", "RGBA", "LA", "P", "CMYK"]), st.booleans())
@pytest.mark.filterwarnings("ignore")
def test_any_exif_turns_any_kind_of_pixels_as_its_orientation_says_and_does_no_more(
    coffee: Image.Image, exif: bytes, mode: str, in_a_file: bool
) -> None:
    image = coffee.crop((100, 50, 140, 80)).convert(mode)
    plain = pixels(to_rgb(image))
    image.info["exif"] = exif
    if in_a_file and mode != "CMYK":
        file = io.BytesIO()
        image.save(file, "PNG", exif=exif)
        image = Image.open(io.BytesIO(file.getvalue()))
    assert np.array_equal(pixels(to_rgb(image)), as_exif_asks(plain, image))


@pytest.mark.parametrize("orientation", [None, 1, 6])
@pytest.mark.parametrize("kind", ["png", "jpeg", "icc", "keyed"])
def test_an_upright_picture_is_not_turned_or_converted_again(
    coffee: Image.Image, orientation: int | None, kind: str
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation or 1
    image = coffee.convert("P") if kind == "keyed" else coffee
    options = {"icc": {"icc_profile": swapped_profile()}, "keyed": {"transparency": 9}}.get(kind, {})
    file = io.BytesIO()
    if orientation is not None:
        options["exif"] = exif
    image.save(file, "JPEG" if kind == "jpeg" else "PNG", **options)
    once = open_photo(file.getvalue())
    assert np.array_equal(pixels(to_rgb(once)), pixels(once)) and once.info == {}


def test_damaged_exif_around_a_sound_orientation_is_obeyed(coffee: Image.Image) -> None:
    image = coffee.copy()
    image.getexif()[0x0112] = 6
    image.info |= {"exif": b"Exif\0\0MM\0*", "xmp": b"\xff tiff:Orientation=\"8\"", "icc_profile": b"broken"}
    assert np.array_equal(pixels(to_rgb(image)), TURNED[6](pixels(coffee)))


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_a_callers_image_keeps_its_pixels_and_what_it_says_of_them(coffee: Image.Image, mode: str) -> None:
    image = coffee.convert(mode)
    exif = Image.Exif()
    exif[0x0112] = 6
    image.info |= {"exif": exif.tobytes(), "icc_profile": b"broken"}
    before, said = image.copy(), dict(image.info)
    rgb = to_rgb(image)
    assert rgb is not image and rgb.size == image.size[::-1]
    assert np.array_equal(image, before) and image.size == before.size and image.info == said
    assert image.getexif()[0x0112] == 6


def swapped_profile() -> bytes:
    """A valid RGB profile whose red and green primaries are swapped: sRGB's, with two tags exchanged."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))


def test_an_embedded_profile_is_converted_to_srgb(tmp_path: Path) -> None:
    red = Image.new("RGB", (20, 20), (255, 0, 0))
    red.save(tmp_path / "swapped.png", icc_profile=swapped_profile())
    rgb = pixels(open_photo(tmp_path / "swapped.png"))
    assert (rgb[..., 1] > 240).all() and (rgb[..., 0] < 20).all(), "red through swapped primaries is green"


def test_an_srgb_profile_changes_no_pixel(coffee: Image.Image, tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    coffee.save(tmp_path / "tagged.png", icc_profile=profile)
    assert np.array_equal(pixels(open_photo(tmp_path / "tagged.png")), pixels(coffee))


@pytest.mark.parametrize("profile", [b"junk", b"\0" * 500])
def test_a_broken_profile_is_ignored(coffee: Image.Image, tmp_path: Path, profile: bytes) -> None:
    coffee.save(tmp_path / "broken.png", icc_profile=profile)
    assert np.array_equal(pixels(open_photo(tmp_path / "broken.png")), pixels(coffee))


def test_a_profile_of_another_colour_model_is_ignored(coffee: Image.Image, tmp_path: Path) -> None:
    coffee.convert("L").save(tmp_path / "grey.png", icc_profile=swapped_profile())
    assert np.array_equal(
        pixels(open_photo(tmp_path / "grey.png")), pixels(coffee.convert("L").convert("RGB"))
    )


def test_an_animation_is_its_first_frame(coffee: Image.Image, tmp_path: Path) -> None:
    black = Image.new("RGB", coffee.size)
    for suffix in ("gif", "webp", "png"):
        path = tmp_path / f"animated.{suffix}"
        lossless = {"lossless": True} if suffix == "webp" else {}
        coffee.save(path, save_all=True, append_images=[black, black], **lossless)
        assert np.abs(pixels(open_photo(path)) - pixels(coffee)).mean() < 15


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "bmp", "tiff", "ppm", "jp2", "avif", "mpo"])
def test_every_supported_format_opens(coffee: Image.Image, tmp_path: Path, suffix: str) -> None:
    coffee.save(tmp_path / f"photo.{suffix}")
    assert open_photo(tmp_path / f"photo.{suffix}").size == coffee.size


@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.3, 0.9])
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "bmp", "tiff"])
def test_a_truncated_file_is_one_clear_line(
    coffee: Image.Image, tmp_path: Path, suffix: str, share: float
) -> None:
    whole = io.BytesIO()
    coffee.save(whole, {"jpg": "JPEG", "tiff": "TIFF"}.get(suffix, suffix.upper()))
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(whole.getvalue()[: int(len(whole.getvalue()) * share)])
    with pytest.raises(PhotoError) as caught:
        open_photo(path)
    assert str(caught.value).count("\n") == 0


def test_flipped_bytes_never_raise_anything_else(coffee: Image.Image, tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    for suffix in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"):
        whole = io.BytesIO()
        coffee.resize((60, 40)).save(whole, suffix)
        for _ in range(40):
            content = bytearray(whole.getvalue())
            for place in random.integers(0, len(content), 4):
                content[place] ^= int(random.integers(1, 256))
            path = tmp_path / "flipped"
            path.write_bytes(content)
            with contextlib.suppress(PhotoError):
                assert open_photo(path).mode == "RGB"


def test_a_text_file_and_an_empty_file_are_named_for_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("not a photo")
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(PhotoError, match="no picture in a supported format"):
        open_photo(tmp_path / "text.jpg")
    with pytest.raises(PhotoError, match="is empty"):
        open_photo(tmp_path / "empty.jpg")


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.jpg")
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "nowhere")
    for path, reason in [
        (tmp_path / "fifo.jpg", "regular file"),
        (tmp_path / "dangling.jpg", "No such file"),
        (tmp_path, "directory"),
        (tmp_path / "missing.jpg", "No such file"),
        ("nul\0.jpg", "valid path"),
        (Path(os.devnull), "regular file"),
    ]:
        refusal: list[BaseException] = []

        def attempt(path: object = path, refusal: list[BaseException] = refusal) -> None:
            try:
                open_photo(path)
            except PhotoError as error:
                refusal.append(error)

        thread = threading.Thread(target=attempt, daemon=True)
        thread.start()
        thread.join(5)
        assert not thread.is_alive(), f"{path} hangs"
        assert reason in str(refusal[0])


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    Image.new("1", (12_000, 12_000)).save(tmp_path / "bomb.png")
    with pytest.raises(PhotoError, match=r"over the limit of 89478485 pixels; .*--max-megapixels"):
        open_photo(tmp_path / "bomb.png")
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    with pytest.raises(PhotoError, match=r"over the limit of 89478485 pixels; .*--max-megapixels"):
        open_photo(tmp_path / "bomb.png")


def test_a_small_jpeg_of_a_thousand_passes_is_refused_before_it_costs_minutes(coffee: Image.Image) -> None:
    file = io.BytesIO()
    coffee.save(file, "JPEG", progressive=True)
    content = file.getvalue()
    begin = content.rindex(b"\xff\xda")
    last_scan = content[begin:-2]
    with pytest.raises(PhotoError, match="over the limit of 100"):
        open_photo(content[:begin] + last_scan * 1000 + b"\xff\xd9")
    assert open_photo(content[:begin] + last_scan * 20 + b"\xff\xd9").size == coffee.size


@pytest.mark.parametrize("name", ["max_pixels", "max_bytes", "min_side", "max_scans"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "many", True, None])
def test_a_limit_that_limits_nothing_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValueError, match="integer of 1 or more"):
        PhotoLimits(**{name: value})


def test_the_bytes_of_a_file_are_the_photo(coffee: Image.Image) -> None:
    file = io.BytesIO()
    coffee.save(file, "PNG")
    assert np.array_equal(pixels(load_photo(file.getvalue())), pixels(coffee))
    with pytest.raises(PhotoError, match="bytes, over the limit of 100"):
        load_photo(file.getvalue(), PhotoLimits(max_bytes=100))


def test_damaged_exif_leaves_the_photo_as_it_is(coffee: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    image = coffee.copy()
    monkeypatch.setattr(image, "getexif", lambda: 1 / 0)
    assert np.array_equal(pixels(to_rgb(image)), pixels(coffee))


def test_limits_can_be_set_and_hold_for_every_kind_of_photo(coffee: Image.Image, tmp_path: Path) -> None:
    coffee.save(tmp_path / "photo.png")
    for photo in (tmp_path / "photo.png", coffee, np.array(coffee)):
        with pytest.raises(PhotoError, match="over the limit of 1000 pixels"):
            load_photo(photo, PhotoLimits(max_pixels=1000))
        with pytest.raises(PhotoError, match="too small"):
            load_photo(photo, PhotoLimits(min_side=201))
    with pytest.raises(PhotoError, match="bytes, over the limit of 1000"):
        open_photo(tmp_path / "photo.png", PhotoLimits(max_bytes=1000))


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((20, 20, 3), np.float32),
        np.zeros((20, 20), np.uint8),
        np.zeros((20, 20, 4), np.uint8),
        np.zeros((3, 20, 20), np.uint8),
        np.zeros((0, 20, 3), np.uint8),
        np.zeros((), np.uint8),
        np.zeros((1, 20, 20, 3), np.uint8),
    ],
)
def test_an_array_of_another_dtype_or_shape_is_told_what_is_allowed(wrong: np.ndarray) -> None:
    with pytest.raises(PhotoError, match="uint8 of shape H×W×3"):
        to_rgb(wrong)


@pytest.mark.parametrize(
    ("array", "advice"),
    [
        (np.zeros((3, 20, 30), np.uint8), "channels first: x.transpose(1, 2, 0)"),
        (np.full((20, 30, 3), 200, np.float32), "look like 0…255: x.round().astype('uint8')"),
        (np.full((3, 20, 30), 200.5, np.float32), "channels first: x.transpose(1, 2, 0); its values look like 0…255"),
        (np.full((3, 20, 30), 0.5, np.float32), "channels first: x.transpose(1, 2, 0); its values look like 0…1"),
        (np.full((20, 30, 3), 0.5), "look like 0…1: (x * 255).round().astype('uint8')"),
        (np.full((20, 30, 3), 60_000, np.uint16), "reach 60000: scale them"),
        (np.full((20, 30, 3), 7, np.int64), "look like 0…255"),
        (np.full((20, 30, 3), -1.5), "undo the normalization"),
        (np.full((20, 30, 3), np.nan), "no levels of a picture"),
        (np.full((20, 30, 3), "x"), "no levels of a picture"),
        (np.zeros((20, 30), np.uint8), "a grey photo: repeat its channel"),
        (np.zeros((20, 30, 1), np.uint8), "a grey photo: repeat its channel"),
        (np.zeros((20, 30, 4), np.uint8), "RGBA"),
        (np.zeros((2, 3, 20, 30), np.uint8), "a batch: give one photo at a time; it looks like C×H×W"),
        (np.zeros((0, 20, 3), np.uint8), "at least one pixel"),
        (np.zeros((20, 30, 5), np.uint8), "of three channels"),
    ],
)
def test_an_array_is_told_what_it_looks_like(array: np.ndarray, advice: str) -> None:
    for read in (to_rgb, load_photo):
        with pytest.raises(PhotoError) as caught:
            read(array)
        assert advice in str(caught.value)


@pytest.mark.parametrize("form", ["PCX", "TGA", "SGI", "ICO"])
def test_a_format_that_is_not_listed_is_refused_though_pillow_reads_it(
    coffee: Image.Image, tmp_path: Path, form: str
) -> None:
    coffee.resize((64, 64)).save(tmp_path / "photo.jpg", form)
    with Image.open(tmp_path / "photo.jpg") as read:
        assert read.format == form
    with pytest.raises(PhotoError):
        open_photo(tmp_path / "photo.jpg")


def test_a_photo_at_its_limits_is_read_and_one_beyond_is_not(coffee: Image.Image) -> None:
    buffer = io.BytesIO()
    coffee.resize((64, 48)).save(buffer, "PNG")
    encoded = buffer.getvalue()
    exact = {"max_pixels": 64 * 48, "max_bytes": len(encoded)}
    assert open_photo(encoded, PhotoLimits(**exact)).size == (64, 48)
    for name, value in exact.items():
        with pytest.raises(PhotoError):
            open_photo(encoded, PhotoLimits(**exact | {name: value - 1}))
    assert PhotoLimits(max_scans=1).max_scans == 1


def test_something_else_is_no_photo() -> None:
    with pytest.raises(PhotoError, match="not list"):
        load_photo([[1, 2, 3]])
