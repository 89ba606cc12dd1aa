"""What a photo may cost before it is refused, so that a decompression bomb cannot take the machine down."""

from __future__ import annotations

from dataclasses import dataclass

from pocketiqa.errors import PhotoError

# Of memory for each pixel that is decoded; `python -m tests.hostile memory` measures it.
BYTES_A_PIXEL = 28
# libjpeg keeps a progressive JPEG's coefficients of the whole picture, two bytes each, at any scale.
_BYTES_A_COEFFICIENT = 2
_JPEG_SCALES = (1, 2, 4, 8)


@dataclass(frozen=True)
class PhotoLimits:
    """What a photo may cost.

    Attributes:
        max_pixels: width × height that may be decoded, checked from the header before any pixel is decoded. A JPEG
            with more is decoded at the largest of 1/2, 1/4 and 1/8 of its sides that stays below.
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
        self._check_side(width, height)
        if width * height > self.max_pixels:
            raise self._too_many(width, height)

    def jpeg_scale(self, width: int, height: int, kept: int) -> int:
        """By how much to reduce the sides of a JPEG while it is decoded: 1, 2, 4 or 8.

        Args:
            width, height: in its header.
            kept: components whose coefficients are kept in memory: all of a progressive one, else 0.

        Raises:
            PhotoError: it is outside the limits even at 1/8.
        """
        self._check_side(width, height)
        pixels = width * height
        room = self.max_pixels * BYTES_A_PIXEL
        for scale in _JPEG_SCALES:
            reduced = -(-width // scale) * -(-height // scale)
            coefficients = 0 if scale == 1 else pixels * kept * _BYTES_A_COEFFICIENT
            too_small = min(width, height) // scale < self.min_side
            if reduced <= self.max_pixels and not too_small and reduced * BYTES_A_PIXEL // 2 + coefficients <= room:
                return scale
        raise self._too_many(width, height)

    def check_scans(self, scans: int) -> None:
        """Raises PhotoError when a JPEG has more passes than allowed."""
        if scans > self.max_scans:
            raise PhotoError(f"a JPEG of {scans} scans, over the limit of {self.max_scans}: PhotoLimits.max_scans")

    def check_bytes(self, size: int) -> None:
        """Raises PhotoError when an encoded photo of ``size`` bytes is over the limit."""
        if size > self.max_bytes:
            raise PhotoError(
                f"the file has {size} bytes, over the limit of {self.max_bytes}; "
                "shrink it, or raise --max-bytes (PhotoLimits.max_bytes)"
            )

    def _check_side(self, width: int, height: int) -> None:
        if min(width, height) < self.min_side:
            raise PhotoError(
                f"{width}×{height} pixels is too small to be judged; each side needs at least {self.min_side}"
            )

    def _too_many(self, width: int, height: int) -> PhotoError:
        return PhotoError(
            f"{width}×{height} pixels is over the limit of {self.max_pixels} pixels; "
            "downscale it, or raise --max-megapixels (PhotoLimits.max_pixels)"
        )
