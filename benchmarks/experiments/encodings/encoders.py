"""Each way to encode a photo, with the 8-bit sRGB pixels that the file stands for by a second decoder or by arithmetic.

Lossy files are decoded by ``imagecodecs``, TIFFs by ``tifffile``; HEIC has no second decoder here.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import imagecodecs
import numpy as np
import pillow_heif
import tifffile
from PIL import Image

from benchmarks.experiments.encodings import colours

# A photo, uint8 H×W×3, as a file and the pixels that it stands for; None where it cannot be read as such.
Encoded = tuple[bytes, np.ndarray | None]
Encoder = Callable[[np.ndarray], Encoded]


def _saved(picture: np.ndarray | Image.Image, style: str, **options: object) -> bytes:
    file = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(file, style, **options)
    return file.getvalue()


def _rgb(pixels: np.ndarray) -> np.ndarray:
    return np.stack([pixels] * 3, -1) if pixels.ndim == 2 else pixels


def _opacity(rgb: np.ndarray) -> np.ndarray:
    return np.tile(np.linspace(0, 255, rgb.shape[1]).round().astype(np.uint8), (len(rgb), 1))[..., None]


def _chunk(kind: bytes, content: bytes, wrong: int = 0) -> bytes:
    return struct.pack(">L4s", len(content), kind) + content + struct.pack(">L", zlib.crc32(kind + content) ^ wrong)


def _png_with(picture: np.ndarray, *chunks: bytes) -> bytes:
    encoded = _saved(picture, "PNG")
    return encoded[:33] + b"".join(chunks) + encoded[33:]


def _jpeg(**options: object) -> Encoder:
    def encode(rgb: np.ndarray) -> Encoded:
        encoded = _saved(rgb, "JPEG", **options)
        return encoded, imagecodecs.jpeg8_decode(encoded)

    return encode


def _jpeg_in(space: colours.Space, name: str = "pocketiqa") -> Encoder:
    def encode(rgb: np.ndarray) -> Encoded:
        encoded = _saved(colours.stored(rgb, space), "JPEG", quality=95, icc_profile=colours.profile(space, name))
        return encoded, colours.shown(imagecodecs.jpeg8_decode(encoded), space)

    return encode


def _jpeg_marked_adobe_rgb(rgb: np.ndarray) -> Encoded:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    encoded = _saved(colours.stored(rgb, colours.ADOBE_RGB), "JPEG", quality=95, exif=exif)
    return encoded, colours.shown(imagecodecs.jpeg8_decode(encoded), colours.ADOBE_RGB)


def _jpeg_turned(rgb: np.ndarray) -> Encoded:
    exif = Image.Exif()
    exif[0x0112] = 6
    encoded = _saved(np.rot90(rgb), "JPEG", exif=exif)
    return encoded, np.rot90(imagecodecs.jpeg8_decode(encoded), -1)


def _jpeg_cmyk(rgb: np.ndarray) -> Encoded:
    encoded = _saved(Image.fromarray(colours.inks(rgb), "CMYK"), "JPEG", quality=95)
    return encoded, colours.inked(255 - imagecodecs.jpeg8_decode(encoded, colorspace="CMYK", outcolorspace="CMYK"))


def _jpeg_grey(rgb: np.ndarray) -> Encoded:
    encoded = _saved(colours.grey(rgb), "JPEG")
    return encoded, _rgb(imagecodecs.jpeg8_decode(encoded))


def _changed(encoder: Encoder, change: Callable[[bytes], bytes]) -> Encoder:
    def encode(rgb: np.ndarray) -> Encoded:
        encoded, pixels = encoder(rgb)
        return change(encoded), pixels

    return encode


def _zeroed(encoded: bytes) -> bytes:
    kept = len(encoded) * 7 // 10
    return encoded[:kept] + bytes(len(encoded) - kept)


def _png(make: Callable[[np.ndarray], np.ndarray], **options: object) -> Encoder:
    """A PNG by libpng of 8 or 16 bits; its pixels are those of 8 bits."""

    def encode(rgb: np.ndarray) -> Encoded:
        picture = make(rgb)
        pixels = np.round(picture / 257).astype(np.uint8) if picture.dtype == np.uint16 else picture
        return imagecodecs.png_encode(picture, **options), _rgb(pixels)

    return encode


def _png_palette(rgb: np.ndarray) -> Encoded:
    picture = Image.fromarray(rgb).quantize(256)
    return _saved(picture, "PNG"), np.array(picture.getpalette(), np.uint8).reshape(-1, 3)[np.asarray(picture)]


def _png_bilevel(rgb: np.ndarray) -> Encoded:
    picture = Image.fromarray(rgb).convert("1")
    return _saved(picture, "PNG"), _rgb(np.asarray(picture).astype(np.uint8) * 255)


def _see_through(style: str, **options: object) -> Encoder:
    def encode(rgb: np.ndarray) -> Encoded:
        opacity = _opacity(rgb)
        return _saved(np.concatenate([rgb, opacity], 2), style, **options), colours.over_white(rgb, opacity)

    return encode


def _png_coded(space: colours.Space, *chunks: bytes) -> Encoder:
    def encode(rgb: np.ndarray) -> Encoded:
        values = colours.stored(rgb, space)
        return _png_with(values, *chunks), colours.shown(values, space)

    return encode


def _lossless(style: str, **options: object) -> Encoder:
    return lambda rgb: (_saved(rgb, style, **options), rgb)


def _lossy(style: str, decode: Callable[[bytes], np.ndarray], **options: object) -> Encoder:
    def encode(rgb: np.ndarray) -> Encoded:
        encoded = _saved(rgb, style, **options)
        return encoded, np.asarray(decode(encoded))[..., :3]

    return encode


def _gif(rgb: np.ndarray) -> Encoded:
    encoded = _saved(rgb, "GIF")
    return encoded, np.asarray(imagecodecs.gif_decode(encoded)).reshape(*rgb.shape)


def _avif_of_ten_bits(rgb: np.ndarray) -> Encoded:
    encoded = imagecodecs.avif_encode(
        np.round(rgb / 255 * 1023).astype(np.uint16), level=90, bitspersample=10, speed=10
    )
    return encoded, np.round(imagecodecs.avif_decode(encoded) / 1023 * 255).astype(np.uint8)


def _avif_hdr(rgb: np.ndarray) -> Encoded:
    encoded = _saved(rgb, "AVIF", speed=10)
    place = encoded.index(b"colrnclx") + 8
    return encoded[:place] + b"\0\x09\0\x10" + encoded[place + 4 :], None


def _heic(rgb: np.ndarray) -> Encoded:
    file = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(rgb)).save(
        file, format="HEIF", quality=90, enc_params={"preset": "ultrafast"}
    )
    return file.getvalue(), np.asarray(pillow_heif.read_heif(file.getvalue()).to_pillow())


def _tiff(
    make: Callable[[np.ndarray], np.ndarray] = lambda rgb: rgb, refused: bool = False, **options: object
) -> Encoder:
    """A TIFF by tifffile, of what ``make`` makes; its pixels are the photo's, or none where it is refused."""

    def encode(rgb: np.ndarray) -> Encoded:
        picture = make(rgb)
        file = io.BytesIO()
        tifffile.imwrite(file, picture, **options)
        pixels = colours.grey(rgb) if picture.ndim == 2 else rgb
        return file.getvalue(), None if refused else _rgb(pixels)

    return encode


def _tiff_cmyk(rgb: np.ndarray) -> Encoded:
    cmyk, file = colours.inks(rgb), io.BytesIO()
    tifffile.imwrite(file, cmyk, photometric="separated", compression="lzw")
    return file.getvalue(), colours.inked(cmyk)


def _tiff_jpeg(rgb: np.ndarray) -> Encoded:
    file = io.BytesIO()
    tifffile.imwrite(file, rgb, photometric="rgb", compression="jpeg", compressionargs={"level": 90})
    file.seek(0)
    return file.getvalue(), tifffile.imread(file)


def _tiff_thumbnail_first(rgb: np.ndarray) -> Encoded:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(rgb[::6, ::6], photometric="rgb", subfiletype=1)
        writer.write(rgb, photometric="rgb")
    return file.getvalue(), rgb


def _wide(rgb: np.ndarray) -> np.ndarray:
    return rgb.astype(np.uint16) * 257


ENCODERS: dict[str, Encoder] = {
    "JPEG, quality 90": _jpeg(quality=90),
    "JPEG, quality 40": _jpeg(quality=40),
    "JPEG, progressive": _jpeg(progressive=True),
    "JPEG, 4:4:4": _jpeg(quality=95, subsampling=0),
    "JPEG, 4:2:2, restart markers": _jpeg(subsampling=1, restart_marker_rows=1),
    "JPEG, RGB inside": _jpeg(quality=95, keep_rgb=True),
    "JPEG, grey": _jpeg_grey,
    "JPEG, CMYK": _jpeg_cmyk,
    "JPEG, turned by EXIF": _jpeg_turned,
    "JPEG, 1 MiB behind its end": _changed(_jpeg(), lambda encoded: encoded + b"\xff\xda\0\0" * 2**18),
    "JPEG without its end marker": _changed(_jpeg(), lambda encoded: encoded[:-2]),
    "JPEG, last 30 % zero": _changed(_jpeg(), _zeroed),
    "JPEG, cut at 97 %": _changed(_jpeg(), lambda encoded: encoded[: len(encoded) * 97 // 100]),
    "JPEG, Display P3": _jpeg_in(colours.DISPLAY_P3),
    "JPEG, Adobe RGB": _jpeg_in(colours.ADOBE_RGB),
    "JPEG, Adobe RGB by EXIF alone": _jpeg_marked_adobe_rgb,
    "JPEG, linear profile named sRGB": _jpeg_in(colours.LINEAR, "sRGB line"),
    "JPEG, 12 bits": lambda rgb: (imagecodecs.jpeg8_encode(rgb.astype(np.uint16) * 16, bitspersample=12), None),
    "PNG": _png(lambda rgb: rgb),
    "PNG, grey": _png(colours.grey),
    "PNG, 16 bits": _png(_wide),
    "PNG, grey of 16 bits": _png(lambda rgb: _wide(colours.grey(rgb))),
    "PNG, 1 bit": _png_bilevel,
    "PNG, palette": _png_palette,
    "PNG, opacity": _see_through("PNG"),
    "PNG, text with a wrong checksum": lambda rgb: (_png_with(rgb, _chunk(b"tEXt", b"a\0b", 1)), rgb),
    "PNG, gamma 1.0": _png_coded(colours.LINEAR, _chunk(b"gAMA", struct.pack(">L", 100_000))),
    "PNG, gamma 1.8": _png_coded(colours.GAMMA_18, _chunk(b"gAMA", struct.pack(">L", 55_556))),
    "PNG, Display P3 by code points": _png_coded(colours.DISPLAY_P3, _chunk(b"cICP", b"\x0c\x0d\0\1")),
    "PNG, PQ": lambda rgb: (_png_with(rgb, _chunk(b"cICP", b"\x09\x10\0\1")), None),
    "WebP": _lossy("WEBP", imagecodecs.webp_decode),
    "WebP, lossless": _lossless("WEBP", lossless=True),
    "WebP, opacity": _see_through("WEBP", lossless=True, exact=True),
    "GIF": _gif,
    "BMP": _lossless("BMP"),
    "PPM": _lossless("PPM"),
    "PGM": lambda rgb: (_saved(colours.grey(rgb), "PPM"), _rgb(colours.grey(rgb))),
    "JPEG 2000": _lossy("JPEG2000", imagecodecs.jpeg2k_decode, quality_mode="rates", quality_layers=[20]),
    "JPEG 2000, lossless": _lossless("JPEG2000"),
    "AVIF": _lossy("AVIF", imagecodecs.avif_decode, speed=10),
    "AVIF, 10 bits": _avif_of_ten_bits,
    "AVIF, PQ": _avif_hdr,
    "HEIC": _heic,
    "TIFF": _tiff(photometric="rgb"),
    "TIFF, LZW, predictor": _tiff(photometric="rgb", compression="lzw", predictor=True),
    "TIFF, deflate, tiles": _tiff(photometric="rgb", compression="zlib", tile=(64, 64)),
    "TIFF, planes": _tiff(lambda rgb: np.moveaxis(rgb, 2, 0), photometric="rgb", planarconfig="separate"),
    "TIFF, big-endian": _tiff(photometric="rgb", byteorder=">"),
    "TIFF, BigTIFF": _tiff(photometric="rgb", bigtiff=True),
    "TIFF, white is zero": _tiff(lambda rgb: 255 - colours.grey(rgb), photometric="miniswhite"),
    "TIFF, white is zero, 16 bits": _tiff(lambda rgb: 65535 - _wide(colours.grey(rgb)), True, photometric="miniswhite"),
    "TIFF, 16 bits": _tiff(_wide, photometric="rgb", compression="zlib"),
    "TIFF, grey of 16 bits": _tiff(lambda rgb: _wide(colours.grey(rgb)), photometric="minisblack"),
    "TIFF, grey of float": _tiff(lambda rgb: colours.grey(rgb).astype(np.float32) / 255, photometric="minisblack"),
    "TIFF, float": _tiff(lambda rgb: rgb.astype(np.float32) / 255, True, photometric="rgb"),
    "TIFF, CMYK": _tiff_cmyk,
    "TIFF, JPEG inside": _tiff_jpeg,
    "TIFF, thumbnail first": _tiff_thumbnail_first,
    "JPEG XL": lambda rgb: (imagecodecs.jpegxl_encode(rgb, effort=1), None),
    "JPEG XR": lambda rgb: (imagecodecs.jpegxr_encode(rgb), None),
}
