"""By how much a large photo is reduced before its views are cut from it.

Nobody needs 12 megapixels for two views of 320 pixels. A photo is halved as often as its short side stays at ``enough``
pixels or above (``PreprocessSpec.enough``; 1,433 for the shipped student): its sides are divided by the largest such
power of two, and rounded up.

* A JPEG is halved while it is decoded, up to three times: libjpeg's scaled inverse transforms give a half, a quarter or
  an eighth of each side, for a part of the time. Another decoder of scales 1/2, 1/4 and 1/8 by libjpeg (Android's
  ``inSampleSize``) gives the same pixels.
* Any other picture is decoded whole, brought upright and to sRGB, and then each pixel is the mean of a square, as
  Pillow's ``Image.reduce`` rounds it. So is a JPEG halved by who cannot do it while decoding, a browser for instance;
  ``benchmarks/experiments/RESULTS.md`` has by how much the scores differ.
* For the ``whole`` view alone, any picture is halved on in that way (``PreprocessSpec.enough_for_whole``; 640 for the
  shipped student).

The mean of a square of ``n`` values of 8 bits, in integers: ``(sum + n // 2) * (2**24 // n) // 2**24``. A square at the
right or lower edge is as large as the photo leaves it.
"""

from __future__ import annotations

from PIL import Image

_LIBJPEG_SCALES = 8


def factor_of(size: tuple[int, int], enough: int | None) -> int:
    """The power of two that the sides of a photo of ``size`` are divided by; 1 where ``enough`` is None."""
    short, factor = min(size), 1
    while enough is not None and short > factor and -(-short // (2 * factor)) >= enough:
        factor *= 2
    return factor


def jpeg_factor_of(size: tuple[int, int], enough: int | None) -> int:
    """The part of ``factor_of`` that libjpeg can do while it decodes: 1, 2, 4 or 8."""
    return min(factor_of(size, enough), _LIBJPEG_SCALES)


def halved(rgb: Image.Image, enough: int | None) -> Image.Image:
    """An upright sRGB picture, halved as often as its short side stays at ``enough`` or above, or itself."""
    factor = factor_of(rgb.size, enough)
    return rgb if factor == 1 else rgb.reduce(factor)
