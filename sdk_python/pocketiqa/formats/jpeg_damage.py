"""How much of a JPEG's picture is in its file: libjpeg's warnings, which Pillow swallows, and what they cost.

libjpeg paints what is missing in grey and says nothing but a warning. simplejpeg, a second interface to it, hands the
warning out. A file that ``jpeg_pixels`` could not decode without one is looked at here, at an eighth of its size.
"""

from __future__ import annotations

import re

import numpy as np

from pocketiqa.errors import one_line
from pocketiqa.formats.damage import SHARE_NEEDED, refusal, share_of_bytes
from pocketiqa.formats.jpeg_segments import EOI, Segments

# libjpeg also warns of odd versions and profiles, which change no pixel.
_DAMAGE = re.compile(r"corrupt jpeg data(?!: bad icc)|premature end|inconsistent progression", re.IGNORECASE)
_GREY = 128


def judged(jpeg: Segments) -> tuple[bytes, str | None]:
    """The bytes to decode, and a warning where part of the picture is missing or corrupt.

    Raises:
        PhotoError: less than ``SHARE_NEEDED`` of the picture is there.
    """
    encoded = jpeg.encoded
    found = _complaint(encoded, jpeg)
    complete = is_complete(jpeg)
    if found is None and complete:
        return encoded, None
    # Bytes of one value before the end marker are padding, or stand where the picture's data were lost.
    padding = _tail(jpeg.body)
    unpadded = encoded[: -2 - padding] + EOI if padding else encoded
    if padding and found and complete and _complaint(unpadded, jpeg) is None:
        return unpadded, None
    scans = jpeg.scans[:-1] if found and jpeg.frame.progressive else jpeg.scans
    brought = _share_of_coefficients(scans, jpeg, missing_bits=1)
    share = min(_share_of_area(unpadded, jpeg), share_of_bytes(jpeg.body), brought)
    if share < SHARE_NEEDED:
        raise refusal(share)
    return unpadded, f"the file is damaged: {found or 'its last passes are missing'}"


def is_complete(jpeg: Segments) -> bool:
    """Whether the file's passes bring every bit of every frequency; a baseline JPEG's one pass does."""
    return _share_of_coefficients(jpeg.scans, jpeg, missing_bits=0) == 1


def complaint(jpeg: Segments) -> str | None:
    """libjpeg's warning about damaged image data; None where it has none, or cannot read this kind of JPEG."""
    return _complaint(jpeg.encoded, jpeg)


def _complaint(encoded: bytes, jpeg: Segments) -> str | None:
    try:
        _eighth(encoded, jpeg, strict=True)
    except ValueError as error:
        return one_line(error) if _DAMAGE.search(str(error)) else None
    return None


def _eighth(encoded: bytes, jpeg: Segments, strict: bool) -> np.ndarray:
    """uint8 of shape H/8×W/8×C, rounded up: lightness, or the inks of CMYK."""
    import simplejpeg  # here: a device that only runs programs on tensors needs none

    inks = "CMYK" if len(jpeg.frame.components) == 4 else "GRAY"
    return simplejpeg.decode_jpeg(encoded, colorspace=inks, min_height=1, min_width=1, strict=strict)


def _tail(body: bytes) -> int:
    """How many bytes of one value stand before the end marker, where they are more than chance makes."""
    data = body.removesuffix(EOI)
    run = len(data) - len(data.rstrip(data[-1:]))
    return run if run >= 16 else 0


def _share_of_area(encoded: bytes, jpeg: Segments) -> float:
    """Of the picture up to the grey that libjpeg paints from where the data end to the last row."""
    try:
        grey = (np.abs(_eighth(encoded, jpeg, strict=False).astype(int) - _GREY) <= 1).all(axis=2)
    except ValueError:
        return 1.0
    rows, columns = grey.shape
    while rows and grey[rows - 1].all():
        rows -= 1
    # The data may end in the middle of a row of blocks, which is as high as the largest sampling factor.
    high = max(down for _, down in jpeg.frame.components.values())
    top = max(rows - 1, 0) // high * high
    ends = columns - int(np.argmin(np.append(grey[top:rows, ::-1].all(axis=0), False)))
    return (top * columns + (rows - top) * ends) / grey.size


def _share_of_coefficients(scans: list[bytes], jpeg: Segments, missing_bits: int) -> float:
    """Of the 64 frequencies of each component that the scans bring, but for their last ``missing_bits`` at most."""
    left = {name: np.full(64, 16) for name in jpeg.frame.components}
    for scan in scans:
        count = scan[0] if scan else 0
        if len(scan) < 4 + 2 * count:
            continue
        first, last, accuracy = scan[1 + 2 * count : 4 + 2 * count]
        for name in scan[1 : 1 + 2 * count : 2]:
            if name in left:
                left[name][first : last + 1] = accuracy & 15
    return float(np.mean([bits <= missing_bits for bits in left.values()]))
