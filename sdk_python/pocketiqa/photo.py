"""From a file, its bytes, a PIL image or an array to one upright 8-bit sRGB picture, within stated limits.

What happens to each kind of pixel, on purpose:

* 1-bit, grey, palette, YCbCr, HSV, CMYK: Pillow's own conversion to RGB.
* Transparency (LA, RGBA, premultiplied forms, a palette's or PNG's transparent colour): composed over white.
* 16-bit grey (I;16 in any byte order): divided by 257, so 65535 becomes 255.
* 32-bit integers (I): as 16-bit grey when no value exceeds 65535 (16-bit files arrive in that mode too), else
  from the range of signed 32-bit integers; negative values are black.
* Floats (F): from [0, 1] when no value exceeds 1, else from [0, 255], else from [0, 65535]; beyond, or with
  NaN or infinity, refused.
* CIE Lab: converted to sRGB by LittleCMS.
* An embedded ICC profile that fits the pixels is converted to sRGB (perceptual intent); one that is broken or
  belongs to another colour model is ignored.
* 16-bit colour PNG: Pillow keeps the upper byte. Animations: the first frame. EXIF orientation: applied.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

from pocketiqa.errors import PhotoError, one_line

# JPEG (with MPO, which its reader covers) first: Pillow imports the less common readers only when it gets to
# them. Formats that start other programs (EPS starts Ghostscript) or are no photos are left out on purpose.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ICC_MODELS = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}


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


def to_rgb(photo: Image.Image | np.ndarray) -> Image.Image:
    """An upright 8-bit sRGB image (mode ``RGB``) from a PIL image of any mode or a uint8 H×W×3 RGB array.

    The module's docstring says what happens to each mode. The input is not changed.

    Raises:
        PhotoError: wrong type, dtype or shape, or pixels that cannot be decoded.
    """
    if isinstance(photo, np.ndarray):
        return _from_array(photo)
    if not isinstance(photo, Image.Image):
        raise PhotoError(
            "a photo is a path, the bytes of a file, a PIL image or a uint8 array of shape H×W×3, not "
            f"{type(photo).__name__}"
        )
    try:
        photo.load()
        colour, alpha = _split_alpha(photo)
        rgb = _to_srgb(colour, photo.info.get("icc_profile"))
        if alpha is not None:
            rgb = Image.composite(rgb, Image.new("RGB", rgb.size, "white"), alpha)
        return _upright(rgb, photo)
    except PhotoError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged pixels
        raise PhotoError(f"the picture cannot be decoded: {one_line(error)}") from error


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


def _from_array(array: np.ndarray) -> Image.Image:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise PhotoError(
            f"an array photo is uint8 of shape H×W×3 in RGB order, not {array.dtype} of shape "
            f"{'×'.join(map(str, array.shape)) or 'scalar'}; "
            "convert floats with (x * 255).round().astype('uint8') and repeat a grey channel three times"
        )
    return Image.fromarray(np.ascontiguousarray(array))


def _split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The colour as L, RGB or CMYK, still in its own colour space, and the opacity as L if there is any."""
    mode = image.mode
    if mode.startswith("I;16"):
        return _grey_from_array(np.asarray(image).astype(np.float32) / 257), None
    if mode in ("I", "F"):
        return _grey_from_array(_scale_wide_grey(np.asarray(image))), None
    if mode in ("La", "RGBa"):
        image = image.convert(mode.upper())
    elif mode == "PA" or "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode in ("LA", "RGBA"):
        alpha = image.getchannel("A")
        return image.convert(image.mode[:-1]), alpha
    if image.mode == "1":
        return image.convert("L"), None
    if image.mode == "LAB":
        transform = ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")
        return ImageCms.applyTransform(image, transform), None
    if image.mode in _ICC_MODELS:
        return image, None
    return image.convert("RGB"), None


def _scale_wide_grey(values: np.ndarray) -> np.ndarray:
    """A 32-bit integer or float plane, H×W, as float32 in [0, 255]; the module's docstring gives the rule."""
    if np.issubdtype(values.dtype, np.integer):
        full = 65535 if values.max() <= 65535 else np.iinfo(np.int32).max
        return values.astype(np.float32) * np.float32(255 / full)
    most = values.max()
    if not (np.isfinite(most) and np.isfinite(values.min())):  # NaN passes through both
        raise PhotoError("a float picture holds NaN or infinity; pixels must be finite")
    for full in (1, 255, 65535):
        if most <= full:
            return values * np.float32(255 / full)
    raise PhotoError(f"a float picture reaches {most:g}; scale it to [0, 1], [0, 255] or [0, 65535]")


def _grey_from_array(values: np.ndarray) -> Image.Image:
    np.rint(values, out=values)
    return Image.fromarray(np.clip(values, 0, 255, out=values).astype(np.uint8))


def _to_srgb(colour: Image.Image, profile_bytes: bytes | None) -> Image.Image:
    """``colour`` (L, RGB or CMYK) as RGB in sRGB, through its ICC profile when that is valid and fits."""
    if profile_bytes:
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(profile_bytes))
            fits = profile.profile.xcolor_space.strip() == _ICC_MODELS[colour.mode]
            # Most files carry a copy of sRGB itself: converting it would cost time and only add rounding.
            if fits and not (profile.profile.profile_description or "").startswith("sRGB"):
                return ImageCms.profileToProfile(colour, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass  # a broken profile says nothing about the pixels: read them as sRGB
    return colour.convert("RGB")


def _upright(rgb: Image.Image, source: Image.Image) -> Image.Image:
    try:
        orientation = source.getexif().get(_ORIENTATION_TAG)
    except Exception:  # damaged EXIF: the pixels are still good
        orientation = None
    transpose = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return rgb if transpose is None else rgb.transpose(transpose)
