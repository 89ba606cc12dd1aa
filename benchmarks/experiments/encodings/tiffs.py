"""A photo as TIFFs of each kind, written by tifffile."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import tifffile

from benchmarks.experiments.encodings import colours
from benchmarks.experiments.encodings.saving import Encoded, Encoder, rgb_of


def tiff(
    make: Callable[[np.ndarray], np.ndarray] = lambda rgb: rgb, refused: bool = False, **options: object
) -> Encoder:
    """A TIFF by tifffile, of what ``make`` makes; its pixels are the photo's, or none where it is refused."""

    def encode(rgb: np.ndarray) -> Encoded:
        picture = make(rgb)
        file = io.BytesIO()
        tifffile.imwrite(file, picture, **options)
        pixels = colours.grey(rgb) if picture.ndim == 2 else rgb
        return file.getvalue(), None if refused else rgb_of(pixels)

    return encode


def tiff_cmyk(rgb: np.ndarray) -> Encoded:
    cmyk, file = colours.inks(rgb), io.BytesIO()
    tifffile.imwrite(file, cmyk, photometric="separated", compression="lzw")
    return file.getvalue(), colours.inked(cmyk)


def tiff_jpeg(rgb: np.ndarray) -> Encoded:
    file = io.BytesIO()
    tifffile.imwrite(file, rgb, photometric="rgb", compression="jpeg", compressionargs={"level": 90})
    file.seek(0)
    return file.getvalue(), tifffile.imread(file)


def tiff_thumbnail_first(rgb: np.ndarray) -> Encoded:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(rgb[::6, ::6], photometric="rgb", subfiletype=1)
        writer.write(rgb, photometric="rgb")
    return file.getvalue(), rgb


def wide(rgb: np.ndarray) -> np.ndarray:
    return rgb.astype(np.uint16) * 257
