"""From a file, its bytes, a PIL image or an array to one upright 8-bit sRGB picture, within stated limits.

What happens to each kind of pixel says ``pocketiqa.pixels``.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass

import numpy as np
from PIL import Image

from pocketiqa.colour import hdr_warning
from pocketiqa.errors import PhotoError, one_line
from pocketiqa.formats.opening import open_encoded
from pocketiqa.formats.recognition import FORMATS
from pocketiqa.halving import halved
from pocketiqa.limits import PhotoLimits
from pocketiqa.pixels import decoded_to_rgb, to_rgb

__all__ = ["FORMATS", "Photo", "PhotoLimits", "Picture", "load_photo", "open_photo", "read_photo", "to_rgb"]

# A photo as every function here takes it: a path, the bytes of an encoded file, an image or an array.
Photo = str | os.PathLike[str] | bytes | Image.Image | np.ndarray


@dataclass(frozen=True)
class Picture:
    """A photo, decoded.

    Attributes:
        rgb: the picture, upright, 8-bit sRGB (mode ``RGB``).
        width, height: of the picture in the file, upright, in pixels. ``rgb`` is smaller where a JPEG was decoded at a
            reduced scale: it is over ``PhotoLimits.max_pixels``, or less was enough.
        warning: why the score may not be the photo's, on one line; None when all is well.
    """

    rgb: Image.Image
    width: int
    height: int
    warning: str | None = None


def read_photo(photo: Photo, limits: PhotoLimits | None = None, enough: int | None = None) -> Picture:
    """Any photo that pocketiqa accepts, within ``limits``, decoded, and what is to be said about it.

    Args:
        photo: a path, the bytes of an encoded file, a PIL image of any mode, or a uint8 array of shape H×W×3 in
            RGB order.
        limits: what a photo may cost.
        enough: pixels of a short side; larger photos are halved (``pocketiqa.halving``). None: no photo is.

    Raises:
        PhotoError: the photo is missing, unreadable, no regular file, of a kind that is not supported, damaged beyond
            what a warning can say, of a wrong type, or outside ``limits``.
    """
    limits = limits or PhotoLimits()
    if not isinstance(photo, (str, os.PathLike, bytes)):
        if isinstance(photo, Image.Image):
            limits.check_size(*photo.size)
        rgb = to_rgb(photo)
        limits.check_size(*rgb.size)
        return Picture(halved(rgb, enough), *rgb.size)
    encoded = photo if isinstance(photo, bytes) else _read_regular_file(photo, limits)
    limits.check_bytes(len(encoded))
    try:
        opened = open_encoded(encoded, limits, enough)
        hdr = hdr_warning(opened.header)
    except PhotoError:
        raise
    except Exception as error:  # a damaged file, or too little memory for it
        raise PhotoError(f"the file cannot be read: {one_line(error)}") from error
    as_stored = opened.image.size
    try:
        rgb = decoded_to_rgb(opened.image, opened.header)
    except PhotoError as error:
        raise PhotoError("; ".join([*opened.warnings, str(error)])) from error
    width, height = opened.size if rgb.size == as_stored else opened.size[::-1]
    return Picture(halved(rgb, enough), width, height, "; ".join([*opened.warnings, *([hdr] if hdr else [])]) or None)


def open_photo(photo: str | os.PathLike[str] | bytes, limits: PhotoLimits | None = None) -> Image.Image:
    """Read a photo file, or the bytes of one, as an upright 8-bit sRGB image (mode ``RGB``).

    Raises:
        PhotoError: the file is missing, unreadable, no regular file, of no supported format, damaged or
            outside ``limits``.
    """
    return read_photo(photo, limits).rgb


def load_photo(photo: Photo, limits: PhotoLimits | None = None) -> Image.Image:
    """Any photo that pocketiqa accepts, within ``limits``, as an upright 8-bit sRGB image.

    Args:
        photo: a path, the bytes of an encoded file, a PIL image of any mode, or a uint8 array of shape H×W×3 in
            RGB order.

    Raises:
        PhotoError: the photo is unreadable, of a wrong type or outside ``limits``.
    """
    return read_photo(photo, limits).rgb


def _read_regular_file(path: str | os.PathLike[str], limits: PhotoLimits) -> bytes:
    """The file's bytes. Opened without blocking and checked on the open handle: a FIFO must not hang us."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise PhotoError("not a regular file")
            limits.check_bytes(status.st_size)
            return file.read(status.st_size)
    except IsADirectoryError:
        raise PhotoError("a directory, not a photo; name the photos in it") from None
    except OSError as error:
        reason = "a device or socket" if error.errno == errno.ENXIO else error.strerror or str(error)
        raise PhotoError(f"cannot be read: {reason}") from None
    except ValueError as error:  # a NUL in the path
        raise PhotoError(f"no valid path: {one_line(error)}") from None
