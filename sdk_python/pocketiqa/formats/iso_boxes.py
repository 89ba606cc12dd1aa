"""The colours that an AVIF or HEIF file gives in numbers, from its boxes: the readers do not hand them on."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_MOST = 10_000
# Boxes on the way from a file to its item properties; ``meta`` has four bytes of version and flags before its boxes.
_PATH = (b"meta", b"iprp", b"ipco")


def cicp(encoded: bytes) -> tuple[int, int, int, int] | None:
    """Colour primaries, transfer function, matrix and range (ITU-T H.273) of the file's first picture that has them."""
    for kind, (start, end) in _properties(encoded):
        if kind == b"colr" and encoded[start : start + 4] == b"nclx" and end - start >= 11:
            primaries, transfer, matrix = struct.unpack_from(">HHH", encoded, start + 4)
            return primaries, transfer, matrix, encoded[start + 10] >> 7
    return None


def has_deep_av1(encoded: bytes) -> bool:
    """Whether a picture in the file has 10 or 12 bits a sample, by its AV1 configuration."""
    return any(
        kind == b"av1C" and end - start >= 4 and encoded[start + 2] & 0x40
        for kind, (start, end) in _properties(encoded)
    )


def _properties(encoded: bytes) -> list[tuple[bytes, tuple[int, int]]]:
    """The boxes of item properties; none where the file is damaged."""
    try:
        place = (0, len(encoded))
        for name in _PATH:
            place = next(inside for kind, inside in _boxes(encoded, *place) if kind == name)
            place = (place[0] + 4, place[1]) if name == b"meta" else place
        return list(_boxes(encoded, *place))
    except (StopIteration, struct.error):
        return []


def _boxes(encoded: bytes, start: int, end: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Each box's type, and where its content starts and ends."""
    for _ in range(_MOST):
        if start + 8 > end:
            return
        size, kind = struct.unpack_from(">L4s", encoded, start)
        head = 8
        if size == 1:
            size, head = struct.unpack_from(">Q", encoded, start + 8)[0], 16
        size = size or end - start
        if size < head:
            return
        yield kind, (start + head, min(start + size, end))
        start += size
