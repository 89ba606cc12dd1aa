"""Of a TIFF the main picture is scored, in kinds of pixels that are decoded right; the others are refused by name."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from pocketiqa.errors import PhotoError
from pocketiqa.formats import tiff_kinds
from pocketiqa.formats.tiff_pages import main_page
from pocketiqa.photo import open_photo, read_photo

from tests.sdk_python.tiffs import DEFLATE, RAW, pages, tiff

SIZE = (101, 67)


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


@pytest.fixture(scope="module")
def coffee(photos: dict[str, np.ndarray]) -> np.ndarray:
    return np.asarray(Image.fromarray(photos["coffee"]).resize(SIZE)).astype(int)


@pytest.fixture(scope="module")
def grey(coffee: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(coffee.astype(np.uint8)).convert("L")).astype(int)[..., None]


def levels(values: np.ndarray, bits: int) -> np.ndarray:
    return np.round(values / 255 * (2.0**bits - 1)).astype(np.uint64)


def over_white(values: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    return (
        np.repeat(values, 3, 2)[..., :3] * opacity / 255 + 255 - opacity
        if values.shape[2] == 1
        else (values * opacity / 255 + 255 - opacity)
    )


def kinds(coffee: np.ndarray, grey: np.ndarray) -> dict[str, tuple[dict, np.ndarray]]:
    """Each kind of pixels: arguments of ``tiff``, and the 8-bit RGB that it stands for."""
    as_grey = np.repeat(grey, 3, 2)
    cmyk = np.asarray(Image.fromarray(coffee.astype(np.uint8)).convert("CMYK")).astype(int)
    shown = np.asarray(Image.fromarray(cmyk.astype(np.uint8), "CMYK").convert("RGB")).astype(int)
    opacity = np.tile(np.linspace(0, 255, SIZE[0]).round().astype(int), (SIZE[1], 1))[..., None]
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    cielab = np.asarray(
        ImageCms.profileToProfile(Image.fromarray(coffee.astype(np.uint8)), srgb, lab, outputMode="LAB")
    )
    ycbcr = np.asarray(Image.fromarray(coffee.astype(np.uint8)).convert("YCbCr"))
    made: dict[str, tuple[dict, np.ndarray]] = {}

    def add(name: str, array: np.ndarray, bits: int, photometric: int, expected: np.ndarray, **options: object) -> None:
        made[f"{name} {bits}"] = dict(array=array, bits=bits, photometric=photometric, **options), expected

    for bits in (1, 2, 4, 8, 12, 16, 32):
        most = 2**bits - 1
        rounded = np.round(levels(as_grey, bits) / most * 255)
        add("grey", levels(grey, bits), bits, 1, rounded)
        add("white is zero", most - levels(grey, bits), bits, 0, rounded)
        add("rgb", levels(coffee, bits), bits, 2, np.round(levels(coffee, bits) / most * 255))
        if bits <= 8:
            ramp = (np.arange(most + 1) / most * 65535).astype(int)
            colours = {320: (*ramp, *ramp[::-1], *ramp)}
            expected = np.stack([rounded[..., 0], 255 - rounded[..., 0], rounded[..., 0]], -1)
            add("palette", levels(grey, bits), bits, 3, expected, tags=colours)
    for bits in (8, 16):
        for extra in (0, 1, 2):
            for name, values, photometric in (("grey", grey, 1), ("rgb", coffee, 2), ("white is zero", 255 - grey, 0)):
                stored = np.round(values * opacity / 255) if extra == 1 else values
                expected = over_white(values if photometric else grey, opacity) if extra else values
                expected = np.repeat(expected, 3, 2) if expected.shape[2] == 1 else expected
                expected = as_grey if not photometric and not extra else expected
                array = np.concatenate([levels(stored, bits), levels(opacity, bits)], 2)
                add(f"{name} and extra {extra}", array, bits, photometric, expected, extra=(extra,))
            array = np.concatenate(
                [levels(coffee if extra != 1 else coffee * opacity / 255, bits), levels(opacity, bits)] * 1, 2
            )
            array = np.concatenate([array, levels(grey, bits)], 2)
            expected = over_white(coffee, opacity) if extra else coffee
            add(f"rgb and extra {extra}, 0", array, bits, 2, expected, extra=(extra, 0))
        four = np.concatenate([levels(coffee, bits), levels(opacity, bits)], 2)
        add("rgb and one that is not named", four, bits, 2, over_white(coffee, opacity))
        add("cmyk", levels(cmyk, bits), bits, 5, shown)
        add(
            "cmyk and extra 0",
            np.concatenate([levels(cmyk, bits), levels(opacity, bits)], 2),
            bits,
            5,
            shown,
            extra=(0,),
        )
        add("cmyk and extra 2", np.concatenate([levels(cmyk, bits), levels(opacity, bits)], 2), bits, 5,
            over_white(shown, opacity), extra=(2,))  # fmt: skip
        add("ycbcr", levels(ycbcr, bits), bits, 6, coffee, tags={530: (1, 1)})
        add("ycbcr said to be subsampled", levels(ycbcr, bits), bits, 6, coffee, tags={530: (2, 2)})
        add("ICC Lab", levels(cielab.astype(int) ^ [0, 128, 128], bits), bits, 9, coffee)
        add("signed grey", np.round(grey / 255 * (2 ** (bits - 1) - 1)), bits, 1, as_grey, sample_format=2)
    add("CIE Lab", cielab, 8, 8, coffee)
    add("signed grey", np.round(grey / 255 * (2**31 - 1)), 32, 1, as_grey, sample_format=2)
    for bits in (16, 32, 64):
        add("float grey", grey / 255, bits, 1, as_grey, sample_format=3)
        add("float white is zero", 1 - grey / 255, bits, 0, as_grey, sample_format=3)
        add("float rgb", coffee / 255, bits, 2, coffee, sample_format=3)
    add("mixed bits", levels(coffee, 8), 8, 2, coffee, tags={258: (8, 8, 16)})
    return made


def test_every_kind_of_pixels_is_decoded_right_or_refused_by_name(coffee: np.ndarray, grey: np.ndarray) -> None:
    right, refused = set(), set()
    for name, (arguments, expected) in kinds(coffee, grey).items():
        several = arguments["array"].shape[2] > 1
        for planes, order, compression, tiled, fill, big in itertools.product(
            (False, True), "<>", (RAW, DEFLATE), (False, True), (1, 2), (False, True)
        ):
            if (planes and not several) or (fill == 2 and compression == DEFLATE) or (big and (tiled or fill == 2)):
                continue
            encoded = tiff(
                **arguments, planes=planes, order=order, compression=compression, tiled=tiled, fill=fill, big=big
            )
            how = (
                f"{name}, planes {planes}, order {order}, compression {compression}, tiled {tiled}, fill {fill}, {big=}"
            )
            try:
                shown = pixels(open_photo(encoded))
            except PhotoError as error:
                assert ("a TIFF of a kind that is not supported (" in str(error)) != (big and order == ">"), how
                refused.add(name)
                continue
            assert np.abs(shown - expected).mean() < 1.5, f"{how} is off by {np.abs(shown - expected).mean():.1f}"
            right.add(name)
    assert {
        "grey 16",
        "rgb 16",
        "rgb 8",
        "white is zero 8",
        "cmyk 16",
        "palette 4",
        "CIE Lab 8",
        "float grey 32",
    } <= right
    assert {
        "white is zero 16",
        "grey 12",
        "float rgb 32",
        "rgb 32",
        "signed grey 16",
        "float white is zero 32",
    } <= refused
    assert not right & {"white is zero 16", "ICC Lab 8", "grey 32", "mixed bits 8"}


def test_the_writer_of_these_tests_agrees_with_a_second_decoder(coffee: np.ndarray, grey: np.ndarray) -> None:
    compared = 0
    for arguments, _ in kinds(coffee, grey).values():
        if (
            arguments["bits"] < 8
            or arguments["bits"] == 12
            or 530 in arguments.get("tags", {})
            or 258 in arguments.get("tags", {})
        ):
            continue
        for planes, tiled, order in itertools.product((False, True), (False, True), "<>"):
            if planes and arguments["array"].shape[2] == 1:
                continue
            read = tifffile.imread(io.BytesIO(tiff(**arguments, planes=planes, tiled=tiled, order=order)))
            read = np.moveaxis(read, 0, 2) if planes else read.reshape(SIZE[1], SIZE[0], -1)
            kind = f"{' uif'[arguments.get('sample_format', 1)]}{arguments['bits'] // 8}"
            assert np.array_equal(read, arguments["array"].astype(kind))
            compared += 1
    assert compared > 100


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "lzw"}, {"compression": "lzw", "predictor": True}, {"compression": "zlib", "predictor": True},
        {"compression": "packbits"}, {"compression": "zstd"}, {"compression": "lzma"},
        {"compression": "jpeg"}, {"compression": "jpeg", "tile": (64, 64)},
        {"compression": "jpeg", "subsampling": (1, 1)},
        {"compression": "webp"}, {"compression": "jpeg2000"}, {"compression": "jpegxl"}, {"compression": "lerc"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("bits", [8, 16])
def test_compressions_of_a_second_encoder_are_decoded_right_or_refused(photos: dict, options: dict, bits: int) -> None:
    if bits == 16 and options["compression"] in ("jpeg", "webp"):
        return
    picture = photos["coffee"][:160, :208]
    file = io.BytesIO()
    options = {"photometric": "rgb"} | options
    tifffile.imwrite(file, picture if bits == 8 else picture.astype(np.uint16) * 257, **options)
    file.seek(0)
    try:
        shown = pixels(open_photo(file.getvalue()))
    except PhotoError as error:
        assert options["compression"] in ("webp", "jpeg2000", "jpegxl", "lerc"), error
        assert "compressed by method" in str(error)
    else:
        lossy = 6 if options["compression"] == "jpeg" else 0.5
        assert np.abs(shown - picture).mean() < lossy


@pytest.mark.parametrize("mode", ["RGB", "L", "YCbCr", "CMYK"])
def test_a_jpeg_inside_a_tiff_keeps_its_colours(photos: dict, mode: str) -> None:
    picture = Image.fromarray(photos["coffee"][:160, :208]).convert(mode)
    file = io.BytesIO()
    picture.save(file, "TIFF", compression="jpeg")
    assert np.abs(pixels(open_photo(file.getvalue())) - pixels(picture.convert("RGB"))).mean() < 6


def test_a_float_predictor_is_undone(grey: np.ndarray) -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, (grey[..., 0] / 255).astype(np.float32), compression="zlib", predictor=3)
    assert np.abs(pixels(open_photo(file.getvalue()))[..., 0] - grey[..., 0]).max() <= 1


def test_a_fax_is_read(grey: np.ndarray) -> None:
    bilevel = Image.fromarray(grey[..., 0].astype(np.uint8)).convert("1")
    for compression in ("group3", "group4"):
        file = io.BytesIO()
        bilevel.save(file, "TIFF", compression=compression)
        assert np.array_equal(pixels(open_photo(file.getvalue())), pixels(bilevel.convert("RGB")))


SMALL = {"thumbnail": {}, "reduced": {254: (1,)}, "a mask": {254: (4,)}, "reduced, the old way": {255: (2,)}}


@pytest.mark.parametrize("what", list(SMALL))
@pytest.mark.parametrize(("order", "big"), [("<", False), (">", False), ("<", True)])
def test_the_picture_is_the_largest_page_of_full_resolution(
    coffee: np.ndarray, what: str, order: str, big: bool
) -> None:
    small = coffee[::3, ::3], 8, 2, {"tags": SMALL[what]}
    main = coffee, 8, 2, {}
    for several in ([small, main], [main, small], [small, small, main], [small, main, main]):
        picture = read_photo(pages(several, order, big))
        assert (picture.width, picture.height, picture.warning) == (*SIZE, None)
        assert np.array_equal(pixels(picture.rgb), coffee)


def test_a_page_that_is_marked_reduced_gives_way_though_it_is_larger(coffee: np.ndarray) -> None:
    marked = np.repeat(np.repeat(255 - coffee, 2, 0), 2, 1), 8, 2, {"tags": {254: (1,)}}
    assert np.array_equal(pixels(open_photo(pages([marked, (coffee, 8, 2, {})]))), coffee)


def test_a_file_of_reduced_pages_alone_is_read_with_a_warning(coffee: np.ndarray) -> None:
    picture = read_photo(tiff(coffee, 8, 2, tags={254: (1,)}))
    assert picture.warning == "the TIFF calls each of its pictures a reduced copy or a mask"
    assert np.array_equal(pixels(picture.rgb), coffee)


def test_the_picture_may_stand_below_a_thumbnail(coffee: np.ndarray) -> None:
    both = pages([(coffee[::3, ::3], 8, 2, {"tags": {254: (1,), 330: (7,)}}), (coffee, 8, 2, {})])
    first = int.from_bytes(both[4:8], "little")
    count = int.from_bytes(both[first : first + 2], "little")
    link = first + 2 + 12 * count
    place = both.index((330).to_bytes(2, "little") + (4).to_bytes(2, "little"), first) + 8
    # What was the next page becomes a page below the first.
    below = both[:place] + both[link : link + 4] + both[place + 4 : link] + bytes(4) + both[link + 4 :]
    assert np.array_equal(pixels(open_photo(below)), coffee)


@pytest.mark.parametrize(
    ("photometric", "tags"),
    [
        (32803, {}), (34892, {}), (2, {50706: (1, 4, 0, 0)}), (1, {259: (34713,)}), (1, {259: (32767,)}),
        (1, {259: (65535,)}),
    ],
)  # fmt: skip
def test_a_raw_file_is_refused_and_its_preview_not_scored(
    grey: np.ndarray, coffee: np.ndarray, photometric: int, tags: dict
) -> None:
    preview = coffee[::2, ::2], 8, 2, {"tags": {254: (1,)}}
    sensor = np.concatenate([grey] * (3 if photometric == 2 else 1), 2), 8, photometric, {"tags": tags}
    for several in ([preview, sensor], [sensor, preview]):
        with pytest.raises(PhotoError, match="raw file of a camera; a preview inside it was not scored"):
            open_photo(pages(several))


RAW_STARTS = (
    *(b"II*\0\x10\0\0\0CR\2\0", b"IIU\0\x18\0\0\0", b"IIRO\x08\0\0\0", b"FUJIFILMCCD-RAW 0201", b"\0MRM\0\0\0\0"),
    *(b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", b"FOVb\0\0\0\0"),
)


@pytest.mark.parametrize("start", RAW_STARTS)
def test_raw_formats_of_their_own_are_named(start: bytes) -> None:
    with pytest.raises(PhotoError, match=r"raw file of a camera \(a preview inside it was not scored\)"):
        open_photo(start + bytes(2000))


def test_the_refusal_says_what_was_found(coffee: np.ndarray) -> None:
    with pytest.raises(PhotoError) as caught:
        open_photo(tiff(coffee / 255, 32, 2, sample_format=3))
    assert str(caught.value) == (
        "a TIFF of a kind that is not supported (RGB, 3 samples of 32 bits (float), side by side, not compressed); "
        "save it as 8-bit RGB"
    )


def test_a_circle_of_pages_and_cut_pages_end(coffee: np.ndarray) -> None:
    encoded = bytearray(pages([(coffee, 8, 2, {}), (coffee[::2], 8, 2, {})]))
    first = int.from_bytes(encoded[4:8], "little")
    link = first + 2 + 12 * int.from_bytes(encoded[first : first + 2], "little")
    for target in (first, link, len(encoded) - 3, 2**32 - 1, 1):
        encoded[link : link + 4] = target.to_bytes(4, "little")
        assert np.array_equal(pixels(open_photo(bytes(encoded))), coffee)


def test_a_tail_of_zero_bytes_is_a_warning(coffee: np.ndarray) -> None:
    file = io.BytesIO()
    Image.fromarray(coffee.astype(np.uint8)).save(file, "TIFF")
    whole = file.getvalue()
    assert read_photo(whole).warning is None
    warning = read_photo(whole[: len(whole) * 7 // 10] + bytes(len(whole) * 3 // 10 + 1)).warning
    assert warning is not None and "zero bytes" in warning


def test_the_list_of_kinds_has_no_kind_twice_and_none_without_a_layout() -> None:
    assert all(layouts for layouts in tiff_kinds._ALLOWED.values())


@pytest.mark.parametrize("options", [{"rowsperstrip": 16}, {"tile": (64, 64)}])
def test_damaged_pieces_of_jpeg_inside_a_tiff_are_told(photos: dict, options: dict) -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, photos["coffee"], photometric="rgb", compression="jpeg", **options)
    encoded = file.getvalue()
    assert read_photo(encoded).warning is None
    page = main_page(encoded)[1]
    places = page.tags.get(273) or page.tags[324]
    counts = page.tags.get(279) or page.tags[325]
    one = bytearray(encoded)
    one[places[1] + counts[1] // 2 : places[1] + counts[1] - 2] = bytes(counts[1] - 2 - counts[1] // 2)
    warning = read_photo(bytes(one)).warning
    assert warning is not None and warning.startswith("the file is damaged: Corrupt JPEG data")
    for place, count in zip(places[: len(places) // 2], counts):
        one[place + count // 2 : place + count - 2] = bytes(count - 2 - count // 2)
    with pytest.raises(PhotoError, match="of its picture can be read"):
        open_photo(bytes(one))
