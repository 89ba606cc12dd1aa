"""From a file, its bytes, a PIL image or an array to one upright 8-bit sRGB picture, within stated limits.

What happens to each kind of pixel says ``pocketiqa.pixels``.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from dataclasses import dataclass

import numpy as np
from PIL import Image

from pocketiqa.errors import PhotoError, one_line
from pocketiqa.pixels import to_rgb

__all__ = ["FORMATS", "Photo", "PhotoLimits", "load_photo", "open_photo", "to_rgb"]

# JPEG (with MPO, which its reader covers) first: Pillow imports the less common readers only when it gets to
# them. Formats that start other programs (EPS starts Ghostscript) or are no photos are left out on purpose.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")

# A photo as every function here takes it: a path, the bytes of an encoded file, an image or an array.
Photo = str | os.PathLike[str] | bytes | Image.Image | np.ndarray


@dataclass(frozen=True)
class PhotoLimits:
    """What a photo may cost before it is refused, so that a decompression bomb cannot take the machine down.

    Attributes:
        max_pixels: width × height, checked from the header before any pixel is decoded. The default is Pillow's
            own warning line; to go beyond twice that, raise ``PIL.Image.MAX_IMAGE_PIXELS`` too.
        max_bytes: size of the encoded file, which is read into memory whole.
        min_side: shortest side in pixels; below it there is nothing to see blur or noise in.
        max_scans: passes over the picture that a JPEG may ask for. Each costs time for the whole picture and
            may be a few bytes long; cameras and editors write about ten.

    Raises:
        ValueError: a limit that is no integer of 1 or more.
    """

    max_pixels: int = 89_478_485
    max_bytes: int = 128 * 1024 * 1024
    min_side: int = 16
    max_scans: int = 100

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if type(value) is not int or value < 1:
                raise ValueError(f"PhotoLimits.{name} is {value!r}; it must be an integer of 1 or more")

    def check_size(self, width: int, height: int) -> None:
        """Raises PhotoError when a ``width × height`` picture is outside the limits."""
        if width * height > self.max_pixels:
            raise PhotoError(
                f"{width}×{height} pixels is over the limit of {self.max_pixels} pixels; "
                "downscale it or raise PhotoLimits.max_pixels"
            )
        if min(width, height) < self.min_side:
            raise PhotoError(
                f"{width}×{height} pixels is too small to be judged; each side needs at least {self.min_side}"
            )

    def check_bytes(self, size: int) -> None:
        """Raises PhotoError when an encoded photo of ``size`` bytes is over the limit."""
        if size > self.max_bytes:
            raise PhotoError(
                f"the file has {size} bytes, over the limit of {self.max_bytes}; "
                "shrink it or raise PhotoLimits.max_bytes"
            )


def open_photo(photo: str | os.PathLike[str] | bytes, limits: PhotoLimits | None = None) -> Image.Image:
    """Read a photo file, or the bytes of one, as an upright 8-bit sRGB image (mode ``RGB``).

    Raises:
        PhotoError: the file is missing, unreadable, no regular file, of no supported format, damaged or
            outside ``limits``.
    """
    limits = limits or PhotoLimits()
    encoded = photo if isinstance(photo, bytes) else _read_regular_file(photo, limits)
    limits.check_bytes(len(encoded))
    try:
        image = Image.open(io.BytesIO(encoded), formats=FORMATS)
    except Image.UnidentifiedImageError:
        what = "is empty" if not encoded else "is no picture in a supported format"
        raise PhotoError(f"the file {what}; supported are {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError as error:
        raise PhotoError(f"refused by Pillow: {one_line(error)}") from None
    except Exception as error:  # Pillow's readers raise nearly anything on damaged headers
        raise PhotoError(f"the picture's header cannot be read: {one_line(error)}") from error
    # The marker cannot occur inside a scan, where every byte FF is followed by 00 or a restart marker.
    if image.format in ("JPEG", "MPO") and (scans := encoded.count(b"\xff\xda")) > limits.max_scans:
        raise PhotoError(f"a JPEG of {scans} scans, over the limit of {limits.max_scans}: PhotoLimits.max_scans")
    return load_photo(image, limits)


def load_photo(photo: Photo, limits: PhotoLimits | None = None) -> Image.Image:
    """Any photo that pocketiqa accepts, within ``limits``, as an upright 8-bit sRGB image.

    Args:
        photo: a path, the bytes of an encoded file, a PIL image of any mode, or a uint8 array of shape H×W×3 in
            RGB order.

    Raises:
        PhotoError: the photo is unreadable, of a wrong type or outside ``limits``.
    """
    if isinstance(photo, (str, os.PathLike, bytes)):
        return open_photo(photo, limits)
    limits = limits or PhotoLimits()
    if isinstance(photo, Image.Image):
        limits.check_size(*photo.size)
    elif isinstance(photo, np.ndarray) and photo.ndim == 3:
        limits.check_size(photo.shape[1], photo.shape[0])
    return to_rgb(photo)


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
