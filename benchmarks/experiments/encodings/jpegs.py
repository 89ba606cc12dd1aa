"""A photo as JPEGs of each kind, decoded by imagecodecs."""

from __future__ import annotations

from collections.abc import Callable

import imagecodecs
import numpy as np
from PIL import Image

from benchmarks.experiments.encodings import colours
from benchmarks.experiments.encodings.saving import Encoded, Encoder, rgb_of, saved


def jpeg(**options: object) -> Encoder:
    def encode(rgb: np.ndarray) -> Encoded:
        encoded = saved(rgb, "JPEG", **options)
        return encoded, imagecodecs.jpeg8_decode(encoded)

    return encode


def jpeg_in(space: colours.Space, name: str = "pocketiqa") -> Encoder:
    def encode(rgb: np.ndarray) -> Encoded:
        encoded = saved(colours.stored(rgb, space), "JPEG", quality=95, icc_profile=colours.profile(space, name))
        return encoded, colours.shown(imagecodecs.jpeg8_decode(encoded), space)

    return encode


def jpeg_marked_adobe_rgb(rgb: np.ndarray) -> Encoded:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    encoded = saved(colours.stored(rgb, colours.ADOBE_RGB), "JPEG", quality=95, exif=exif)
    return encoded, colours.shown(imagecodecs.jpeg8_decode(encoded), colours.ADOBE_RGB)


def jpeg_turned(rgb: np.ndarray) -> Encoded:
    exif = Image.Exif()
    exif[0x0112] = 6
    encoded = saved(np.rot90(rgb), "JPEG", exif=exif)
    return encoded, np.rot90(imagecodecs.jpeg8_decode(encoded), -1)


def jpeg_cmyk(rgb: np.ndarray) -> Encoded:
    encoded = saved(Image.fromarray(colours.inks(rgb), "CMYK"), "JPEG", quality=95)
    return encoded, colours.inked(255 - imagecodecs.jpeg8_decode(encoded, colorspace="CMYK", outcolorspace="CMYK"))


def jpeg_grey(rgb: np.ndarray) -> Encoded:
    encoded = saved(colours.grey(rgb), "JPEG")
    return encoded, rgb_of(imagecodecs.jpeg8_decode(encoded))


def changed(encoder: Encoder, change: Callable[[bytes], bytes]) -> Encoder:
    def encode(rgb: np.ndarray) -> Encoded:
        encoded, pixels = encoder(rgb)
        return change(encoded), pixels

    return encode


def zeroed(encoded: bytes) -> bytes:
    kept = len(encoded) * 7 // 10
    return encoded[:kept] + bytes(len(encoded) - kept)
