"""Each way to encode a photo, with the 8-bit sRGB pixels that the file stands for by a second decoder or by arithmetic.

Lossy files are decoded by ``imagecodecs``, TIFFs by ``tifffile``; HEIC has no second decoder here.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import imagecodecs
import numpy as np
import pillow_heif
from PIL import Image

from benchmarks.experiments.encodings import colours
from benchmarks.experiments.encodings.jpegs import (
    changed,
    jpeg,
    jpeg_cmyk,
    jpeg_grey,
    jpeg_in,
    jpeg_marked_adobe_rgb,
    jpeg_turned,
    zeroed,
)
from benchmarks.experiments.encodings.pngs import chunk, png, png_bilevel, png_coded, png_palette, png_with
from benchmarks.experiments.encodings.saving import Encoded, Encoder, rgb_of, saved
from benchmarks.experiments.encodings.tiffs import tiff, tiff_cmyk, tiff_jpeg, tiff_thumbnail_first, wide


def _opacity(rgb: np.ndarray) -> np.ndarray:
    return np.tile(np.linspace(0, 255, rgb.shape[1]).round().astype(np.uint8), (len(rgb), 1))[..., None]


def _see_through(style: str, **options: object) -> Encoder:
    def encode(rgb: np.ndarray) -> Encoded:
        opacity = _opacity(rgb)
        return saved(np.concatenate([rgb, opacity], 2), style, **options), colours.over_white(rgb, opacity)

    return encode


def _lossless(style: str, **options: object) -> Encoder:
    return lambda rgb: (saved(rgb, style, **options), rgb)


def _lossy(style: str, decode: Callable[[bytes], np.ndarray], **options: object) -> Encoder:
    def encode(rgb: np.ndarray) -> Encoded:
        encoded = saved(rgb, style, **options)
        return encoded, np.asarray(decode(encoded))[..., :3]

    return encode


def _gif(rgb: np.ndarray) -> Encoded:
    encoded = saved(Image.fromarray(rgb).quantize(256, Image.Quantize.FASTOCTREE), "GIF")
    return encoded, np.asarray(imagecodecs.gif_decode(encoded)).reshape(*rgb.shape)


def _avif_of_ten_bits(rgb: np.ndarray) -> Encoded:
    encoded = imagecodecs.avif_encode(
        np.round(rgb / 255 * 1023).astype(np.uint16), level=90, bitspersample=10, speed=10
    )
    return encoded, np.round(imagecodecs.avif_decode(encoded) / 1023 * 255).astype(np.uint8)


def _avif_hdr(rgb: np.ndarray) -> Encoded:
    encoded = saved(rgb, "AVIF", speed=10)
    place = encoded.index(b"colrnclx") + 8
    return encoded[:place] + b"\0\x09\0\x10" + encoded[place + 4 :], None


def _heic(rgb: np.ndarray) -> Encoded:
    file = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(rgb)).save(
        file, format="HEIF", quality=90, enc_params={"preset": "ultrafast"}
    )
    return file.getvalue(), np.asarray(pillow_heif.read_heif(file.getvalue()).to_pillow())


ENCODERS: dict[str, Encoder] = {
    "JPEG, quality 90": jpeg(quality=90),
    "JPEG, quality 40": jpeg(quality=40),
    "JPEG, progressive": jpeg(progressive=True),
    "JPEG, 4:4:4": jpeg(quality=95, subsampling=0),
    "JPEG, 4:2:2, restart markers": jpeg(subsampling=1, restart_marker_rows=1),
    "JPEG, RGB inside": jpeg(quality=95, keep_rgb=True),
    "JPEG, grey": jpeg_grey,
    "JPEG, CMYK": jpeg_cmyk,
    "JPEG, turned by EXIF": jpeg_turned,
    "JPEG, 1 MiB behind its end": changed(jpeg(), lambda encoded: encoded + b"\xff\xda\0\0" * 2**18),
    "JPEG without its end marker": changed(jpeg(), lambda encoded: encoded[:-2]),
    "JPEG, last 30 % zero": changed(jpeg(), zeroed),
    "JPEG, cut at 97 %": changed(jpeg(), lambda encoded: encoded[: len(encoded) * 97 // 100]),
    "JPEG, Display P3": jpeg_in(colours.DISPLAY_P3),
    "JPEG, Adobe RGB": jpeg_in(colours.ADOBE_RGB),
    "JPEG, Adobe RGB by EXIF alone": jpeg_marked_adobe_rgb,
    "JPEG, linear profile named sRGB": jpeg_in(colours.LINEAR, "sRGB line"),
    "JPEG, 12 bits": lambda rgb: (imagecodecs.jpeg8_encode(rgb.astype(np.uint16) * 16, bitspersample=12), None),
    "PNG": png(lambda rgb: rgb),
    "PNG, grey": png(colours.grey),
    "PNG, 16 bits": png(wide),
    "PNG, grey of 16 bits": png(lambda rgb: wide(colours.grey(rgb))),
    "PNG, 1 bit": png_bilevel,
    "PNG, palette": png_palette,
    "PNG, opacity": _see_through("PNG"),
    "PNG, text with a wrong checksum": lambda rgb: (png_with(rgb, chunk(b"tEXt", b"a\0b", 1)), rgb),
    "PNG, gamma 1.0": png_coded(colours.LINEAR, chunk(b"gAMA", struct.pack(">L", 100_000))),
    "PNG, gamma 1.8": png_coded(colours.GAMMA_18, chunk(b"gAMA", struct.pack(">L", 55_556))),
    "PNG, Display P3 by code points": png_coded(colours.DISPLAY_P3, chunk(b"cICP", b"\x0c\x0d\0\1")),
    "PNG, PQ": lambda rgb: (png_with(rgb, chunk(b"cICP", b"\x09\x10\0\1")), None),
    "WebP": _lossy("WEBP", imagecodecs.webp_decode),
    "WebP, lossless": _lossless("WEBP", lossless=True, method=0),
    "WebP, opacity": _see_through("WEBP", lossless=True, exact=True, method=0),
    "GIF": _gif,
    "BMP": _lossless("BMP"),
    "PPM": _lossless("PPM"),
    "PGM": lambda rgb: (saved(colours.grey(rgb), "PPM"), rgb_of(colours.grey(rgb))),
    "JPEG 2000": _lossy("JPEG2000", imagecodecs.jpeg2k_decode, quality_mode="rates", quality_layers=[20]),
    "JPEG 2000, lossless": _lossless("JPEG2000"),
    "AVIF": _lossy("AVIF", imagecodecs.avif_decode, speed=10),
    "AVIF, 10 bits": _avif_of_ten_bits,
    "AVIF, PQ": _avif_hdr,
    "HEIC": _heic,
    "TIFF": tiff(photometric="rgb"),
    "TIFF, LZW, predictor": tiff(photometric="rgb", compression="lzw", predictor=True),
    "TIFF, deflate, tiles": tiff(photometric="rgb", compression="zlib", tile=(64, 64)),
    "TIFF, planes": tiff(lambda rgb: np.moveaxis(rgb, 2, 0), photometric="rgb", planarconfig="separate"),
    "TIFF, big-endian": tiff(photometric="rgb", byteorder=">"),
    "TIFF, BigTIFF": tiff(photometric="rgb", bigtiff=True),
    "TIFF, white is zero": tiff(lambda rgb: 255 - colours.grey(rgb), photometric="miniswhite"),
    "TIFF, white is zero, 16 bits": tiff(lambda rgb: 65535 - wide(colours.grey(rgb)), True, photometric="miniswhite"),
    "TIFF, 16 bits": tiff(wide, photometric="rgb", compression="zlib"),
    "TIFF, grey of 16 bits": tiff(lambda rgb: wide(colours.grey(rgb)), photometric="minisblack"),
    "TIFF, grey of float": tiff(lambda rgb: colours.grey(rgb).astype(np.float32) / 255, photometric="minisblack"),
    "TIFF, float": tiff(lambda rgb: rgb.astype(np.float32) / 255, True, photometric="rgb"),
    "TIFF, CMYK": tiff_cmyk,
    "TIFF, JPEG inside": tiff_jpeg,
    "TIFF, thumbnail first": tiff_thumbnail_first,
    "JPEG XL": lambda rgb: (imagecodecs.jpegxl_encode(rgb, effort=1), None),
    "JPEG XR": lambda rgb: (imagecodecs.jpegxr_encode(rgb), None),
}
