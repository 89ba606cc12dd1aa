"""Of a PNG the image data and the colours count: metadata beside them vetoes nothing, and damage is told."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin
from pocketiqa import icc
from pocketiqa.errors import PhotoError
from pocketiqa.photo import open_photo, read_photo, to_rgb

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


def chunk(kind: bytes, content: bytes, wrong: int = 0) -> bytes:
    return struct.pack(">L4s", len(content), kind) + content + struct.pack(">L", zlib.crc32(kind + content) ^ wrong)


def with_chunk(encoded: bytes, added: bytes) -> bytes:
    """The PNG with a chunk between its header and its data."""
    return encoded[:33] + added + encoded[33:]


@pytest.fixture(scope="module")
def coffee(photos: dict[str, np.ndarray]) -> Image.Image:
    return Image.fromarray(photos["coffee"]).resize((300, 200))


@pytest.fixture(scope="module")
def encoded(coffee: Image.Image) -> bytes:
    file = io.BytesIO()
    coffee.save(file, "PNG")
    return file.getvalue()


ANCILLARY = {
    "a long compressed text": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * 2**20)),
    "a text bomb": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(50_000_000))),
    "a long international text": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b"x" * 2**22)),
    "a text with a wrong checksum": chunk(b"tEXt", b"Comment\0hello", wrong=1),
    "a damaged text": chunk(b"zTXt", b"Comment\0\0nonsense"),
    "a text without an end": chunk(b"iTXt", b"Raw profile type exif"),
    "damaged EXIF": chunk(b"eXIf", b"II*\0\xff\xff\xff\xff"),
    "EXIF with a wrong checksum": chunk(b"eXIf", b"II*\0\x08\0\0\0", wrong=7),
    "a profile bomb": chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(50_000_000))),
    "a damaged profile": chunk(b"iCCP", b"p\0\0nonsense"),
    "a short gamma": chunk(b"gAMA", b"\0"),
    "a gamma of nothing": chunk(b"gAMA", bytes(4)),
    "short chromaticities": chunk(b"cHRM", b"\0\0"),
    "chromaticities of nothing": chunk(b"cHRM", bytes(32)),
    "an empty sRGB": chunk(b"sRGB", b""),
    "a short transparency": chunk(b"tRNS", b"\0"),
    "a resolution of nothing": chunk(b"pHYs", b""),
    "a damaged animation": chunk(b"acTL", b"\0") + chunk(b"fcTL", b""),
    "short code points": chunk(b"cICP", b"\1"),
    "an unknown chunk": chunk(b"xxXx", b"hello", wrong=9),
}


@pytest.mark.parametrize("what", list(ANCILLARY))
def test_an_ancillary_chunk_never_decides(coffee: Image.Image, encoded: bytes, what: str) -> None:
    picture = read_photo(with_chunk(encoded, ANCILLARY[what]))
    assert picture.warning is None
    assert np.array_equal(pixels(picture.rgb), pixels(coffee))


@pytest.mark.parametrize("missing", [1, 4, 8, 12])
def test_a_file_without_its_end_is_whole(coffee: Image.Image, encoded: bytes, missing: int) -> None:
    picture = read_photo(encoded[:-missing])
    assert picture.warning is None and np.array_equal(pixels(picture.rgb), pixels(coffee))


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "I;16"])
@pytest.mark.parametrize("share", [0.2, 0.7, 0.9])
def test_a_file_of_which_much_is_missing_or_zero_is_refused(coffee: Image.Image, mode: str, share: float) -> None:
    file = io.BytesIO()
    grey = Image.fromarray(np.asarray(coffee.convert("L")).astype(np.uint16) * 257)
    (grey if mode == "I;16" else coffee.convert(mode)).save(file, "PNG")
    whole = file.getvalue()
    kept = whole[: int(len(whole) * share)]
    for damaged in (kept, kept + bytes(len(whole) - len(kept))):
        with pytest.raises(PhotoError, match="damaged"):
            open_photo(damaged)


def test_a_wrong_checksum_of_whole_image_data_is_a_warning(coffee: Image.Image, encoded: bytes) -> None:
    place = encoded.index(b"IDAT") - 4
    length = struct.unpack_from(">L", encoded, place)[0]
    wrong = encoded[: place + 8 + length] + b"\0\0\0\0" + encoded[place + 12 + length :]
    picture = read_photo(wrong)
    assert picture.warning == "the file is damaged: the checksum of its image data is wrong"
    assert np.array_equal(pixels(picture.rgb), pixels(coffee))


def adam7(picture: np.ndarray) -> bytes:
    """An interlaced PNG of a uint8 grey picture."""
    height, width = picture.shape
    rows = b""
    for left, across, top, down in (
        (0, 8, 0, 8),
        (4, 8, 0, 8),
        (0, 4, 4, 8),
        (2, 4, 0, 4),
        (0, 2, 2, 4),
        (1, 2, 0, 2),
        (0, 1, 1, 2),
    ):
        for row in picture[top::down, left::across]:
            rows += b"\0" + row.tobytes() if len(row) else b""
    header = struct.pack(">LLBBBBB", width, height, 8, 0, 0, 0, 1)
    return SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(17, 16), (64, 48), (101, 67)])
def test_an_interlaced_picture_is_measured_pass_by_pass(coffee: Image.Image, size: tuple[int, int]) -> None:
    grey = np.asarray(coffee.convert("L").resize(size))
    encoded = adam7(grey)
    assert np.array_equal(pixels(open_photo(encoded))[..., 0], grey)
    assert read_photo(encoded[:-12]).warning is None
    with pytest.raises(PhotoError, match="damaged"):
        open_photo(encoded[: len(encoded) * 2 // 3])


def test_apples_own_kind_is_named(encoded: bytes) -> None:
    with pytest.raises(PhotoError, match="CgBI"):
        open_photo(SIGNATURE + chunk(b"CgBI", b"\x50\0\x20\x02") + encoded[8:])


def test_an_orientation_in_a_text_is_obeyed(coffee: Image.Image, encoded: bytes) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    text = PngImagePlugin.PngInfo()
    text.add_text(
        "Raw profile type exif", "\nexif\n      26\n" + (b"Exif\0\0" + exif.tobytes()[6:]).hex() + "\n", zip=True
    )
    file = io.BytesIO()
    coffee.save(file, "PNG", pnginfo=text)
    assert open_photo(file.getvalue()).size == coffee.size[::-1]


def seen(coffee: Image.Image, added: bytes, mode: str = "RGB") -> np.ndarray:
    """What a PNG with these chunks shows; the same whether the file or Pillow's image of it is given."""
    file = io.BytesIO()
    coffee.convert(mode).save(file, "PNG")
    return pixels(open_photo(with_chunk(file.getvalue(), added)))


def curve(array: np.ndarray, gamma: float) -> np.ndarray:
    """sRGB's levels of values in [0, 1] whose light is their power ``gamma``."""
    light = (array / 255) ** gamma
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.6])
def test_a_gamma_is_honoured(coffee: Image.Image, mode: str, gamma: float) -> None:
    shown = seen(coffee, chunk(b"gAMA", struct.pack(">L", round(100_000 / gamma))), mode)
    expected = curve(pixels(coffee.convert(mode).convert("RGB")), gamma)
    assert np.abs(shown - expected).mean() < 1


def test_the_gamma_of_srgb_changes_no_pixel(coffee: Image.Image) -> None:
    for added in (
        chunk(b"gAMA", struct.pack(">L", 45455)),
        chunk(b"gAMA", struct.pack(">L", 45455))
        + chunk(b"cHRM", struct.pack(">8L", *(round(x * 1e5) for x in icc.SRGB))),
        chunk(b"sRGB", b"\0") + chunk(b"gAMA", struct.pack(">L", 100_000)),
        chunk(b"cICP", b"\1\x0d\0\1") + chunk(b"gAMA", struct.pack(">L", 100_000)),
        chunk(b"cICP", b"\1\1\0\1"),
    ):
        assert np.array_equal(seen(coffee, added), pixels(coffee))


@pytest.mark.parametrize("primaries", [9, 12])
def test_primaries_in_numbers_are_those_of_a_profile(coffee: Image.Image, primaries: int) -> None:
    numbers = (*icc.PRIMARIES[primaries],)
    by_code = seen(coffee, chunk(b"cICP", bytes([primaries, 13, 0, 1])))
    by_chromaticities = seen(coffee, chunk(b"cHRM", struct.pack(">8L", *(round(x * 1e5) for x in numbers))))
    assert np.abs(by_code - pixels(coffee)).mean() > 2
    assert np.abs(by_code - by_chromaticities).mean() < 3, "a gamma of 1/2.2 against sRGB's curve"


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_a_transfer_function_of_hdr_is_a_warning(encoded: bytes, transfer: int, name: str) -> None:
    picture = read_photo(with_chunk(encoded, chunk(b"cICP", bytes([9, transfer, 0, 1]))))
    assert picture.warning is not None and picture.warning.startswith(f"HDR with the transfer function {name}")


def test_an_image_that_pillow_opened_is_seen_as_its_file(coffee: Image.Image) -> None:
    file = io.BytesIO()
    coffee.save(file, "PNG")
    linear = with_chunk(file.getvalue(), chunk(b"gAMA", struct.pack(">L", 100_000)))
    assert np.array_equal(pixels(to_rgb(Image.open(io.BytesIO(linear)))), pixels(open_photo(linear)))


def test_a_profile_is_judged_by_what_it_holds_and_not_by_its_name(coffee: Image.Image) -> None:
    linear = icc.built("RGB", icc.SRGB, 1.0).replace("pocketiqa".encode("utf-16-be"), "sRGB line".encode("utf-16-be"))
    assert ImageCms.ImageCmsProfile(io.BytesIO(linear)).profile.profile_description == "sRGB line"
    file = io.BytesIO()
    coffee.save(file, "PNG", icc_profile=linear)
    assert np.abs(pixels(open_photo(file.getvalue())) - curve(pixels(coffee), 1.0)).mean() < 1
    for unnamed in (
        icc.built("RGB", icc.SRGB, None),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    ):
        file = io.BytesIO()
        coffee.save(file, "PNG", icc_profile=unnamed)
        assert np.array_equal(pixels(open_photo(file.getvalue())), pixels(coffee))


def test_a_profile_that_says_hdr_is_a_warning(coffee: Image.Image) -> None:
    profile = bytearray(icc.built("RGB", icc.PRIMARIES[9], None))
    place = profile.index(b"cprt")
    profile[place : place + 4] = b"cicp"
    offset = struct.unpack_from(">L", profile, place + 4)[0]
    profile[offset : offset + 12] = b"cicp\0\0\0\0" + bytes([9, 16, 0, 1])
    file = io.BytesIO()
    coffee.save(file, "PNG", icc_profile=bytes(profile))
    warning = read_photo(file.getvalue()).warning
    assert warning is not None and "PQ" in warning


@pytest.mark.parametrize("gamma", [0.0, -1.0, 1e9, float("nan")])
def test_a_gamma_that_is_none_builds_no_profile(gamma: float) -> None:
    with pytest.raises(ValueError):
        icc.built("RGB", icc.SRGB, gamma)


@pytest.mark.parametrize("primaries", [(0.0,) * 8, (0.3, 0.3) * 4, (float("nan"),) * 8, (-1e9,) * 8])
def test_primaries_that_span_no_colours_build_no_profile(primaries: tuple[float, ...]) -> None:
    with pytest.raises(ValueError):
        icc.built("RGB", primaries, 2.2)
