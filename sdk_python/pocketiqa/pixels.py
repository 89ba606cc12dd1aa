"""Pixels of any kind become upright 8-bit sRGB.

What happens to each kind of pixel, on purpose:

* 1-bit, grey, palette, YCbCr, HSV, CMYK: Pillow's own conversion to RGB.
* Transparency (LA, RGBA, premultiplied forms, a palette's or PNG's transparent colour): composed over white.
* 16-bit grey (I;16 in any byte order): divided by 257, so 65535 becomes 255.
* 32-bit integers (I): as 16-bit grey when no value exceeds 65535 (16-bit files arrive in that mode too), else
  from the range of signed 32-bit integers; negative values are black.
* Floats (F): from [0, 1] when no value exceeds 1, else from [0, 255], else from [0, 65535]; beyond, or with
  NaN or infinity, refused.
* CIE Lab: converted to sRGB by LittleCMS.
* Colours: converted to sRGB from what the file says of them; ``pocketiqa.colour`` has the order.
* 16-bit colour PNG: Pillow keeps the upper byte. Animations: the first frame. EXIF orientation: applied.
"""

from __future__ import annotations

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageOps

from pocketiqa.colour import to_srgb
from pocketiqa.errors import PhotoError, one_line


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
    return decoded_to_rgb(photo, photo)


def decoded_to_rgb(image: Image.Image, source: Image.Image) -> Image.Image:
    """As ``to_rgb``, of an image whose colours and orientation ``source`` tells: a file's header, or the image itself.

    Where they are two, the image is nobody else's: it may be changed, and be the result. ``source`` is not changed.

    Raises:
        PhotoError: pixels that cannot be decoded.
    """
    try:
        image.load()
        colour, alpha = _split_alpha(image)
        rgb = to_srgb(colour, source)
        if alpha is not None:
            rgb = Image.composite(rgb, Image.new("RGB", rgb.size, "white"), alpha)
        if rgb is source:
            rgb = rgb.copy()
        rgb.info.clear()  # profile and orientation are applied: whoever reads the result again must not find them
        return _upright(rgb, source)
    except PhotoError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged pixels
        raise PhotoError(f"the picture cannot be decoded: {one_line(error)}") from error


def _from_array(array: np.ndarray) -> Image.Image:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise PhotoError(
            f"an array photo is uint8 of shape H×W×3 in RGB order, not {array.dtype} of shape "
            f"{'×'.join(map(str, array.shape)) or 'scalar'}; {_advice(array)}"
        )
    return Image.fromarray(np.ascontiguousarray(array))


def _advice(array: np.ndarray) -> str:
    """What the array looks like, and what to do with it."""
    steps = []
    if array.ndim == 4:
        steps.append("it looks like a batch: give one photo at a time")
    shape = array.shape[-3:]
    if len(shape) == 2 or (len(shape) == 3 and 1 in (shape[0], shape[2])):
        steps.append("it looks like a grey photo: repeat its channel three times")
    elif len(shape) == 3 and shape[2] == 4:
        steps.append("it looks like RGBA: compose it over a colour and drop the fourth channel")
    elif len(shape) == 3 and shape[0] in (3, 4) and shape[2] not in (3, 4):
        steps.append("it looks like C×H×W, channels first: x.transpose(1, 2, 0)")
    if array.dtype != np.uint8 and array.size:
        steps.append(_advice_on_values(array))
    return "; ".join(steps) or "give at least one pixel, of three channels"


def _advice_on_values(array: np.ndarray) -> str:
    if not (np.issubdtype(array.dtype, np.number) and np.isrealobj(array) and np.isfinite(array).all()):
        return "its values are no levels of a picture"
    least, most = float(array.min()), float(array.max())
    if least < 0:
        return f"its values reach from {least:g} to {most:g}: undo the normalization, then scale to 0…255 and uint8"
    if most <= 1 and not np.issubdtype(array.dtype, np.integer):
        return "its values look like 0…1: (x * 255).round().astype('uint8')"
    if most <= 255:
        return "its values look like 0…255: x.round().astype('uint8')"
    return f"its values reach {most:g}: scale them to 0…255, then .astype('uint8')"


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
    if image.mode in ("L", "RGB", "CMYK"):
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


def _upright(rgb: Image.Image, source: Image.Image) -> Image.Image:
    """``rgb`` turned as the source's EXIF asks. The orientation alone is handed on, where it is an integer: whatever
    else the EXIF holds may be damaged, and the pixels are still good."""
    try:
        orientation = source.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # Pillow raises nearly anything on damaged EXIF
        return rgb
    if isinstance(orientation, int):
        rgb.getexif()[ExifTags.Base.Orientation] = orientation
        ImageOps.exif_transpose(rgb, in_place=True)
    return rgb
