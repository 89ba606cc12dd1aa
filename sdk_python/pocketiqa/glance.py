"""A photo at a glance: a small copy, and what of it says whether two photos show the same and which is better lit.

The hash is a difference hash (N. Krawetz, "Kind of Like That", hackerfactor.com, 2013) in both directions: is each of
8×8 places darker than its right neighbour, and than its lower one. Measured beside other hashes and wider ones:
``benchmarks/experiments/RESULTS.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from PIL import ExifTags, Image

from pocketiqa.errors import PhotoError
from pocketiqa.photo import load_photo

HASH_BITS = 128
# Of Pillow's readers, those of formats that carry EXIF.
_WITH_EXIF = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")
_SIDE = 256


@dataclass(frozen=True)
class Glance:
    """What one look at a photo tells.

    Attributes:
        hash: a difference hash of ``HASH_BITS`` bits.
        tones: entropy of the small copy's grey values, in bits, 0 to 6: a photo that is too dark, too bright or without
            contrast uses few tones.
        taken: when, by the camera's own clock and without a zone; None where the photo does not say.
    """

    hash: int
    tones: float
    taken: datetime | None


def glance_at(photo: str) -> Glance:
    """Look at a photo file that the scorer accepted.

    Raises:
        PhotoError: it cannot be read any more.
    """
    copy = small_copy(photo, _SIDE)
    return Glance(difference_hash(copy), tones_of(copy), _time_taken(photo))


def difference_hash(photo: Image.Image) -> int:
    """As ``Glance.hash``, of an image of any mode and size."""
    grey = photo.convert("L")
    across = np.asarray(grey.resize((9, 8), Image.Resampling.LANCZOS))
    down = np.asarray(grey.resize((8, 9), Image.Resampling.LANCZOS))
    darker = np.concatenate([(across[:, :-1] < across[:, 1:]).ravel(), (down[:-1] < down[1:]).ravel()])
    return int.from_bytes(np.packbits(darker).tobytes(), "big")


def tones_of(photo: Image.Image) -> float:
    """As ``Glance.tones``, of an image of any mode and size."""
    grey = photo.convert("L")
    grey.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    shares = np.bincount(np.asarray(grey).ravel() // 4, minlength=64) / (grey.width * grey.height)
    used = shares[shares > 0]
    return float(-(used * np.log2(used)).sum())


def small_copy(photo: str, side: int) -> Image.Image:
    """The photo upright in sRGB, its longer side at most ``side`` pixels. A JPEG is decoded at a fraction of its size
    where that is enough, which is several times faster.

    Raises:
        PhotoError: the photo is unreadable or outside the limits.
    """
    try:
        with Image.open(photo, formats=("JPEG",)) as image:
            image.draft(None, (side, side))
            rgb = load_photo(image)
    except (OSError, Image.DecompressionBombError, PhotoError):  # no JPEG, or one that is damaged
        rgb = load_photo(photo)
    rgb.thumbnail((side, side), Image.Resampling.BOX)
    return rgb


def _time_taken(photo: str) -> datetime | None:
    """Of EXIF's DateTimeOriginal and SubSecTimeOriginal."""
    try:
        with Image.open(photo, formats=_WITH_EXIF) as image:
            exif = image.getexif().get_ifd(ExifTags.IFD.Exif)
        second = datetime.strptime(str(exif[ExifTags.Base.DateTimeOriginal])[:19], "%Y:%m:%d %H:%M:%S")
        part = str(exif.get(ExifTags.Base.SubsecTimeOriginal, "")).strip("\0 ")
        return second + timedelta(seconds=float(f"0.{part}") if part.isdecimal() else 0)
    except Exception:  # Pillow raises nearly anything on damaged EXIF, and most photos have none
        return None
