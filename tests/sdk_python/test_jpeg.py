"""A JPEG ends where its end marker stands, and what is missing from it is told."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from pocketiqa.errors import PhotoError
from pocketiqa.formats import jpeg_damage, jpeg_segments
from pocketiqa.limits import BYTES_A_PIXEL, PhotoLimits
from pocketiqa.photo import open_photo, read_photo

KINDS = {
    "baseline": {},
    "fine": {"quality": 95, "subsampling": 0},
    "coarse": {"quality": 20},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_rows": 1},
    "optimized": {"optimize": True},
}


def jpeg(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


@pytest.fixture(scope="module")
def coffee(photos: dict[str, np.ndarray]) -> Image.Image:
    return Image.fromarray(photos["coffee"])


@pytest.fixture(scope="module", params=list(KINDS))
def encoded(request: pytest.FixtureRequest, coffee: Image.Image) -> bytes:
    return jpeg(coffee, **KINDS[request.param])


def with_segment(encoded: bytes, marker: int, content: bytes) -> bytes:
    """The JPEG with one more segment behind its start."""
    return encoded[:2] + bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content + encoded[2:]


@pytest.mark.parametrize("trailer", ["noise", "scans", "another", "zeros"])
def test_what_lies_behind_the_end_marker_changes_nothing(encoded: bytes, coffee: Image.Image, trailer: str) -> None:
    behind = {
        "noise": np.random.default_rng(0).bytes(2**23),
        "scans": b"\xff\xda" * 1000,
        "another": jpeg(coffee.crop((0, 0, 40, 30))),
        "zeros": bytes(10**6),
    }[trailer]
    alone, followed = read_photo(encoded), read_photo(encoded + behind)
    assert np.array_equal(pixels(alone.rgb), pixels(followed.rgb))
    assert alone.warning is None and followed.warning is None


def test_the_thumbnail_in_the_metadata_ends_no_picture(encoded: bytes, coffee: Image.Image) -> None:
    inside = with_segment(encoded, 0xE1, b"thumbnail" + jpeg(coffee.resize((96, 64))))
    assert np.array_equal(pixels(open_photo(inside)), pixels(open_photo(encoded)))


@pytest.mark.parametrize("missing", [1, 2])
def test_a_file_without_its_end_marker_is_whole(encoded: bytes, missing: int) -> None:
    picture = read_photo(encoded[:-missing])
    assert picture.warning is None
    assert np.array_equal(pixels(picture.rgb), pixels(open_photo(encoded)))


@pytest.mark.parametrize("padding", [bytes(5000), b"\xff" * 5000])
def test_padding_before_the_end_marker_is_no_damage(encoded: bytes, padding: bytes) -> None:
    picture = read_photo(encoded[:-2] + padding + encoded[-2:])
    assert picture.warning is None
    assert np.array_equal(pixels(picture.rgb), pixels(open_photo(encoded)))


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_a_file_of_which_much_is_missing_or_zero_is_refused(encoded: bytes, share: float) -> None:
    kept = encoded[: int(len(encoded) * share)]
    for damaged in (kept + bytes(len(encoded) - len(kept)), kept):
        try:
            warning = read_photo(damaged).warning
        except PhotoError as error:
            warning = str(error)
        assert warning is not None and warning.startswith("the file is damaged: ")
    with pytest.raises(PhotoError, match="of its picture can be read, and 95% are needed"):
        open_photo(kept + bytes(len(encoded) - len(kept)))


def test_a_file_of_which_little_is_missing_is_read_with_a_warning(encoded: bytes) -> None:
    kept = encoded[: int(len(encoded) * 0.985)]
    for damaged in (kept, kept + bytes(len(encoded) - len(kept))):
        picture = read_photo(damaged)
        assert picture.warning is not None and picture.warning.startswith("the file is damaged: ")
        assert np.abs(pixels(picture.rgb) - pixels(open_photo(encoded))).mean() < 3


@pytest.mark.parametrize("passes", range(1, 10))
@pytest.mark.parametrize("filler", [b"", bytes(5000)])
def test_a_progressive_file_that_ends_between_two_passes_is_told(
    coffee: Image.Image, passes: int, filler: bytes
) -> None:
    encoded = jpeg(coffee, progressive=True)
    scans = [place for place in range(len(encoded)) if encoded[place : place + 2] == b"\xff\xda"]
    tables = encoded.rindex(b"\xff\xc4", 0, scans[passes])
    for end in (tables, tables + 10):
        try:
            warning = read_photo(encoded[:end] + filler + b"\xff\xd9" * (not filler)).warning
        except PhotoError as error:
            warning = str(error)
        assert warning is not None and warning.startswith("the file is damaged")


def test_libjpegs_own_words_about_corrupt_data_are_the_warning(coffee: Image.Image) -> None:
    encoded = bytearray(jpeg(coffee, quality=95, subsampling=0, restart_marker_rows=1))
    place = encoded.index(b"\xff\xd3")
    encoded[place - 40 : place] = b"\x55" * 40
    warning = read_photo(bytes(encoded)).warning
    assert warning is not None and warning.startswith("the file is damaged: Corrupt JPEG data")


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_damage_is_found_in_grey_and_in_four_inks(coffee: Image.Image, mode: str) -> None:
    encoded = jpeg(coffee.convert(mode))
    assert read_photo(encoded).warning is None
    with pytest.raises(PhotoError, match="damaged"):
        open_photo(encoded[: len(encoded) // 2])


@pytest.mark.parametrize(
    ("marker", "content"),
    [
        (0xED, b"Photoshop 3.0\x008BIM\x04\x04"),
        (0xE2, b"MPF\0II*\0\xff\xff\xff\xff"),
        (0xE0, b"JFIF\0"),
        (0xEE, b"Adobe"),
        (0xE2, b"ICC_PROFILE\0"),
        (0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff"),
        (0xFE, b""),
    ],
)
def test_damaged_metadata_decides_nothing(coffee: Image.Image, marker: int, content: bytes) -> None:
    encoded = jpeg(coffee)
    picture = read_photo(with_segment(encoded, marker, content))
    assert picture.warning is None
    assert np.array_equal(pixels(picture.rgb), pixels(open_photo(encoded)))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (b"\xff\xc1\0\x0b\x0c\0\x40\0\x40\x01\x01\x11\0", "12 bits a sample; supported are 8"),
        (b"\xff\xc3\0\x0b\x08\0\x40\0\x40\x01\x01\x11\0", "lossless JPEG"),
        (b"\xff\xf7\0\x0b\x08\0\x40\0\x40\x01\x01\x11\0", "JPEG-LS"),
        (b"\xff\xc5\0\x0b\x08\0\x40\0\x40\x01\x01\x11\0", "hierarchical JPEG"),
        (b"\xff\xc0\0\x0e\x08\0\x40\0\x40\x02\x01\x11\0\x02\x11\0", "2 components"),
        (b"\xff\xc0\0\x0b\x08\0\0\0\x40\x01\x01\x11\0", "height behind its pixels"),
    ],
)
def test_a_jpeg_of_a_kind_that_is_not_supported_is_named(kind: bytes, words: str) -> None:
    scan = b"\xff\xda\0\x08\x01\x01\0\0\x3f\0" + bytes(300)
    with pytest.raises(PhotoError, match=words):
        open_photo(b"\xff\xd8" + kind + scan + b"\xff\xd9")


@pytest.mark.parametrize("head_alone", [True, False])
def test_a_walk_over_any_bytes_ends_with_segments_or_one_line(encoded: bytes, head_alone: bool) -> None:
    random = np.random.default_rng(3)
    for _ in range(40):
        content = bytearray(encoded[:2000] if head_alone else encoded)
        for place in random.integers(2, 700, 5):
            content[place] = random.integers(256)
        try:
            segments = jpeg_segments.walk(bytes(content))
        except PhotoError as error:
            assert "\n" not in str(error)
        else:
            assert segments.encoded.endswith(b"\xff\xd9")


def test_a_profile_that_libjpeg_doubts_is_no_damage() -> None:
    assert not jpeg_damage._DAMAGE.search("Corrupt JPEG data: bad ICC marker")
    assert not jpeg_damage._DAMAGE.search("Warning: unknown JFIF revision number 9.00")
    assert jpeg_damage._DAMAGE.search("Premature end of JPEG file")


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_beyond_the_limit_is_decoded_at_a_reduced_scale(coffee: Image.Image, progressive: bool) -> None:
    limits = PhotoLimits(max_pixels=600 * 400 - 1)
    exif = Image.Exif()
    exif[0x0112] = 6
    for options in ({}, {"exif": exif}):
        encoded = jpeg(coffee, progressive=progressive, **options)
        whole, reduced = read_photo(encoded), read_photo(encoded, limits)
        assert (reduced.width, reduced.height) == (whole.width, whole.height) == whole.rgb.size
        assert reduced.rgb.size == (whole.width // 2, whole.height // 2) and reduced.warning is None
        assert np.abs(pixels(reduced.rgb) - pixels(whole.rgb.resize(reduced.rgb.size, Image.Resampling.BOX))).mean() < 2


def test_the_scale_of_a_jpeg_keeps_its_memory_below_the_limits() -> None:
    limits = PhotoLimits()
    assert limits.jpeg_scale(4000, 3000, 3) == 1
    assert limits.jpeg_scale(12_000, 9000, 0) == limits.jpeg_scale(16_320, 12_240, 0) == 2
    for side in (12_000, 16_000, 20_000, 30_000, 65_000):
        for kept in (0, 1, 3, 4):
            try:
                scale = limits.jpeg_scale(side, side, kept)
            except PhotoError as error:
                assert "over the limit" in str(error) and "--max-megapixels" in str(error)
                continue
            assert (side // scale) ** 2 <= limits.max_pixels
            assert 2 * kept * side**2 <= limits.max_pixels * BYTES_A_PIXEL
    with pytest.raises(PhotoError, match="over the limit"):
        limits.jpeg_scale(65_000, 65_000, 3)
