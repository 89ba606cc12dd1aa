"""Which format a file is of decides how it is opened, and a refusal names it."""

from __future__ import annotations

import io
import sys

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms
from pocketiqa import icc
from pocketiqa.errors import PhotoError
from pocketiqa.formats import iso_boxes
from pocketiqa.formats.damage import share_of_bytes, zero_tail
from pocketiqa.formats.recognition import FORMATS, format_of, words_for
from pocketiqa.photo import open_photo, read_photo


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


def saved(image: Image.Image, style: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, style, **options)
    return file.getvalue()


def heic(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    pillow_heif.from_pillow(image).save(file, format="HEIF", **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def coffee(photos: dict[str, np.ndarray]) -> Image.Image:
    return Image.fromarray(photos["coffee"]).resize((300, 200))


@pytest.mark.parametrize("name", FORMATS)
def test_every_supported_format_is_recognised(coffee: Image.Image, name: str) -> None:
    encoded = heic(coffee) if name == "HEIF" else saved(coffee, name)
    assert format_of(encoded) == name
    assert np.abs(pixels(open_photo(encoded)) - pixels(coffee)).mean() < 12


OTHERS = {
    b"\xff\x0a\xfa\x1f": "JPEG XL",
    b"\0\0\0\x0cJXL \r\n\x87\n": "JPEG XL",
    b"II\xbc\1": "JPEG XR",
    b"8BPS\0\1": "Photoshop",
    b"v/1\1": "OpenEXR",
    b"#?RADIANCE\n": "Radiance",
    b"%PDF-1.7\n": "PDF",
    b"%!PS-Adobe-3.0\n": "PostScript",
    b"PF\n8 8\n-1.0\n": "a colour PFM",
    b"P7\nWIDTH 8\n": "PAM",
    b"DDS |": "DirectDraw",
    b"qoif": "QOI",
    b"\0\0\1\0\1\0": "icon",
    b"\x0a\x05\x01\x08": "PCX",
    b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom": "a video",
    b"\0\0\0\x14ftypqt  \0\0\0\0qt  ": "a video",
    b"RIFF\0\0\0\0AVI LIST": "a video",
    b"\x1aE\xdf\xa3": "a video",
    b"PK\3\4": "a ZIP archive",
    b"\x1f\x8b\x08": "a gzip archive",
    b"<!DOCTYPE html><html>": "an HTML page",
    b"<?xml version='1.0'?><svg/>": "SVG or other XML",
    b"\0\5\x16\7\0\2\0\0": "AppleDouble",
    b"gimp xcf ": "GIMP",
    bytes(128) + b"DICM": "DICOM",
}


@pytest.mark.parametrize("start", list(OTHERS))
def test_another_format_is_named_in_the_refusal(start: bytes) -> None:
    with pytest.raises(
        PhotoError, match=rf"the file is .*{OTHERS[start]}.*, which is not supported; supported are JPEG, PNG"
    ):
        open_photo(start + b"\x01\x02" * 500)


def test_what_no_start_tells_is_no_picture() -> None:
    assert words_for(b"") == "empty" and words_for(b"hello") == "no picture in a supported format"
    assert words_for(bytes(1000)) == "nothing but zero bytes, which is not supported"
    raw = "a raw file of a camera (a preview inside it was not scored), which is not supported"
    assert words_for(b"FUJIFILMCCD-RAW") == raw


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("JPEG", "HEIF", "PNG", "PPM")])
def test_a_damaged_header_keeps_the_decoders_reason(coffee: Image.Image, name: str) -> None:
    with pytest.raises(PhotoError, match=f"^(the header of this {name} file cannot|a {name} without a page)"):
        open_photo(saved(coffee, name)[:20].ljust(60, b"\x77"))


@pytest.mark.parametrize("package", ["pi_heif", "pillow_heif"])
def test_heic_is_read_by_either_package(coffee: Image.Image, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for other in {"pi_heif", "pillow_heif"} - {package}:
        monkeypatch.setitem(sys.modules, other, None)
    if package == "pi_heif":
        pytest.importorskip("pi_heif")
    picture = read_photo(heic(coffee, quality=95))
    assert (picture.width, picture.height, picture.warning) == (*coffee.size, None)
    assert np.abs(pixels(picture.rgb) - pixels(coffee)).mean() < 3


def test_heic_without_a_package_names_the_extra(coffee: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("pi_heif", "pillow_heif"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(PhotoError, match=r"HEIC or HEIF, which needs .* pip install 'pocketiqa\[heif\]'"):
        open_photo(heic(coffee))


def test_heic_is_turned_once_as_it_says(coffee: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = coffee.transpose(Image.Transpose.ROTATE_90)
    picture = read_photo(heic(turned, quality=95, exif=exif.tobytes()))
    assert picture.rgb.size == (picture.width, picture.height) == coffee.size
    assert np.abs(pixels(picture.rgb) - pixels(coffee)).mean() < 3


@pytest.mark.parametrize("mode", ["RGBA", "L"])
def test_heic_of_other_modes_is_read(coffee: Image.Image, mode: str) -> None:
    assert (
        np.abs(
            pixels(open_photo(heic(coffee.convert(mode), quality=95))) - pixels(coffee.convert(mode).convert("RGB"))
        ).mean()
        < 3
    )


def test_a_wide_profile_inside_heic_is_converted(coffee: Image.Image) -> None:
    p3 = icc.built("RGB", icc.PRIMARIES[12], None)
    source, target = (
        ImageCms.ImageCmsProfile(io.BytesIO(icc.built("RGB", space, None))) for space in (icc.SRGB, icc.PRIMARIES[12])
    )
    stored = ImageCms.profileToProfile(coffee, source, target)
    stored.info["icc_profile"] = p3
    assert np.abs(pixels(stored) - pixels(coffee)).mean() > 3
    assert np.abs(pixels(open_photo(heic(stored, quality=95))) - pixels(coffee)).mean() < 3


def with_nclx(encoded: bytes, primaries: int, transfer: int) -> bytes:
    """The file with other numbers in its colour box."""
    place = encoded.index(b"colrnclx") + 8
    return encoded[:place] + bytes([0, primaries, 0, transfer]) + encoded[place + 4 :]


@pytest.mark.parametrize("style", ["AVIF", "HEIF"])
@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_a_transfer_function_of_hdr_in_numbers_is_a_warning(
    coffee: Image.Image, style: str, transfer: int, name: str
) -> None:
    encoded = heic(coffee) if style == "HEIF" else saved(coffee, style)
    if b"colrnclx" not in encoded:
        pytest.skip("this encoder gives no numbers")
    assert read_photo(encoded).warning is None
    warning = read_photo(with_nclx(encoded, 9, transfer)).warning
    assert warning is not None and warning.startswith(f"HDR with the transfer function {name}")


def test_primaries_in_numbers_are_converted(coffee: Image.Image) -> None:
    encoded = saved(coffee, "AVIF", quality=95)
    assert iso_boxes.cicp(encoded) is not None
    wide = pixels(open_photo(with_nclx(encoded, 12, 13)))
    assert np.abs(wide - pixels(coffee)).mean() > 2


def test_damaged_boxes_give_no_numbers(coffee: Image.Image) -> None:
    encoded = saved(coffee, "AVIF")
    random = np.random.default_rng(0)
    for _ in range(200):
        content = bytearray(encoded[:400])
        for place in random.integers(0, len(content), 4):
            content[place] = random.integers(256)
        found = iso_boxes.cicp(bytes(content))
        assert found is None or len(found) == 4


@pytest.mark.parametrize(
    ("style", "options"), [("WEBP", {}), ("WEBP", {"lossless": True}), ("AVIF", {}), ("BMP", {}), ("PPM", {})]
)
def test_a_tail_of_zero_bytes_is_a_warning_in_formats_that_check_nothing(
    coffee: Image.Image, style: str, options: dict
) -> None:
    encoded = saved(coffee, style, **options)
    assert read_photo(encoded).warning is None
    kept = len(encoded) * 7 // 10
    try:
        warning = read_photo(encoded[:kept] + bytes(len(encoded) - kept)).warning
    except PhotoError as error:
        warning = str(error)
    assert warning is not None and "damaged" in warning


def test_zero_bytes_behind_a_picture_are_no_damage(coffee: Image.Image) -> None:
    picture = read_photo(saved(coffee, "WEBP") + bytes(10**6))
    assert picture.warning is None


@pytest.mark.parametrize("missing", [1, 2])
def test_a_gif_without_its_end_is_whole(coffee: Image.Image, missing: int) -> None:
    encoded = saved(coffee, "GIF")
    assert np.array_equal(pixels(open_photo(encoded[:-missing])), pixels(open_photo(encoded)))


def test_runs_and_tails_are_counted() -> None:
    assert zero_tail(b"x" * 1000 + bytes(10)) is None
    assert zero_tail(b"x" * 1000 + bytes(500)) == (
        "the file is damaged, or its last pixels are black: its last 33% are zero bytes"
    )
    assert share_of_bytes(b"") == 0 and share_of_bytes(b"ab" * 400) == 1
    assert share_of_bytes(b"ab" * 128 + bytes(256)) == 0.5


def test_a_camera_set_to_adobe_rgb_marks_it_in_exif(coffee: Image.Image) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    marked, plain = (pixels(open_photo(saved(coffee, "JPEG", quality=95, exif=e))) for e in (exif, Image.Exif()))
    by_profile = pixels(
        open_photo(saved(coffee, "JPEG", quality=95, icc_profile=icc.built("RGB", icc.ADOBE_RGB, 563 / 256)))
    )
    assert np.array_equal(marked, by_profile) and np.abs(marked - plain).mean() > 1
