"""When a damaged picture is refused, and the sign of damage that every format shares."""

from __future__ import annotations

import re

from pocketiqa.errors import PhotoError

# Below it a picture is refused: a score of what is left says nothing about the photo.
SHARE_NEEDED = 0.95
_LONG_RUN = re.compile(rb"(.)\1{255,}", re.DOTALL)
_ZEROS_SHARE, _ZEROS_LEAST = 1 - SHARE_NEEDED, 256


def refusal(share: float) -> PhotoError:
    """The error for a file of which only ``share`` of the picture can be read."""
    return PhotoError(f"the file is damaged: {share:.0%} of its picture can be read, and {SHARE_NEEDED:.0%} are needed")


def share_of_bytes(data: bytes) -> float:
    """Of compressed image data that are known to be damaged: the share outside long runs of one value, which stand
    where data were lost."""
    if not data:
        return 0.0
    return 1 - sum(len(run[0]) for run in _LONG_RUN.finditer(data)) / len(data)


def zero_tail(picture: bytes) -> str | None:
    """A warning where the picture's data end in zero bytes, as in files that were set up in full and filled in part.

    Args:
        picture: the file up to where its container says that it ends.
    """
    zeros = len(picture) - len(picture.rstrip(b"\0"))
    if zeros < max(_ZEROS_LEAST, _ZEROS_SHARE * len(picture)):
        return None
    return f"the file is damaged, or its last pixels are black: its last {zeros / len(picture):.0%} are zero bytes"
