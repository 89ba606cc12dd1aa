"""A photo as PNGs of each kind: what they stand for is arithmetic."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import imagecodecs
import numpy as np
from PIL import Image

from benchmarks.experiments.encodings import colours
from benchmarks.experiments.encodings.saving import Encoded, Encoder, rgb_of, saved


def chunk(kind: bytes, content: bytes, wrong: int = 0) -> bytes:
    return struct.pack(">L4s", len(content), kind) + content + struct.pack(">L", zlib.crc32(kind + content) ^ wrong)


def png_with(picture: np.ndarray, *chunks: bytes) -> bytes:
    encoded = saved(picture, "PNG")
    return encoded[:33] + b"".join(chunks) + encoded[33:]


def png(make: Callable[[np.ndarray], np.ndarray], **options: object) -> Encoder:
    """A PNG by libpng of 8 or 16 bits; its pixels are those of 8 bits."""

    def encode(rgb: np.ndarray) -> Encoded:
        picture = make(rgb)
        pixels = np.round(picture / 257).astype(np.uint8) if picture.dtype == np.uint16 else picture
        return imagecodecs.png_encode(picture, **options), rgb_of(pixels)

    return encode


def png_palette(rgb: np.ndarray) -> Encoded:
    picture = Image.fromarray(rgb).quantize(256, Image.Quantize.FASTOCTREE)
    return saved(picture, "PNG"), np.array(picture.getpalette(), np.uint8).reshape(-1, 3)[np.asarray(picture)]


def png_bilevel(rgb: np.ndarray) -> Encoded:
    picture = Image.fromarray(rgb).convert("1")
    return saved(picture, "PNG"), rgb_of(np.asarray(picture).astype(np.uint8) * 255)


def png_coded(space: colours.Space, *chunks: bytes) -> Encoder:
    def encode(rgb: np.ndarray) -> Encoded:
        values = colours.stored(rgb, space)
        return png_with(values, *chunks), colours.shown(values, space)

    return encode
