"""A PNG's chunks: those that decide about the picture are handed on, and metadata beside it never vetoes it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from pocketiqa.errors import PhotoError
from pocketiqa.formats.damage import SHARE_NEEDED, refusal, share_of_bytes

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_IEND = b"\0\0\0\0IEND\xaeB`\x82"
_MOST_METADATA, _MOST_TEXT = 4 * 1024 * 1024, 512 * 1024
# Ancillary chunks that change how the pixels look, with the lengths that are none of a damaged one.
_COLOUR = {b"gAMA": {4}, b"cHRM": {32}, b"sRGB": {1}}
_KEYED_LENGTH = {0: 2, 2: 6}
# Where else an orientation may stand, as ImageMagick and XMP write it.
_ORIENTATION_TEXTS = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0", b"Raw profile type APP1\0")
# Columns and rows of each pass of Adam7: where they start, and their step.
_ADAM7 = ((0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2))
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


@dataclass(frozen=True)
class Png:
    """A PNG taken apart.

    Attributes:
        encoded: the picture as one PNG, without metadata that says nothing about it.
        icc_profile: of the ``iCCP`` chunk.
        cicp: colour primaries, transfer function, matrix and range of the ``cICP`` chunk.
        warning: where image data are damaged.
    """

    encoded: bytes
    icc_profile: bytes | None
    cicp: tuple[int, ...] | None
    warning: str | None


def walk(encoded: bytes) -> Png:
    """Take a PNG apart.

    Raises:
        PhotoError: less than ``SHARE_NEEDED`` of its image data is there, or it is of Apple's own kind.
    """
    kept, data, profile, cicp, sound, header = [SIGNATURE], [], None, None, False, b""
    damage = None
    for kind, content, intact in _chunks(encoded):
        if kind == b"CgBI":
            raise PhotoError("a PNG of Apple's own kind for apps (CgBI), which is not supported")
        if kind == b"IHDR":
            header = header or content
        elif kind == b"IDAT":
            data.append(content)
            damage = damage if intact else "the checksum of its image data is wrong"
        elif kind == b"IEND":
            sound = True
            break
        elif kind[0] & 0x20:  # ancillary
            if intact and kind == b"iCCP":
                profile = _profile(content)
            elif intact and kind == b"cICP" and len(content) == 4:
                cicp = tuple(content)
            if not (intact and _decides(kind, content, header)):
                continue
        kept.append(_chunk(kind, content, intact))
    if damage or not sound:
        share = _share(data, header)
        if damage:
            share = min(share, share_of_bytes(b"".join(data)))
        if share < SHARE_NEEDED:
            raise refusal(share)
    return Png(b"".join([*kept, _IEND]), profile, cicp, damage and f"the file is damaged: {damage}")


def _chunks(encoded: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Each chunk's type, content and whether its checksum is right; the last one may be cut off."""
    position = len(SIGNATURE)
    while position + 8 <= len(encoded):
        length, kind = struct.unpack_from(">L4s", encoded, position)
        end = position + 8 + length
        if not kind.isalpha():
            return
        content = encoded[position + 8 : end]
        yield kind, content, encoded[end : end + 4] == struct.pack(">L", zlib.crc32(content, zlib.crc32(kind)))
        position = end + 4


def _chunk(kind: bytes, content: bytes, intact: bool) -> bytes:
    # The decoder shall still see that a header is damaged; it looks at no checksum of image data.
    checksum = zlib.crc32(content, zlib.crc32(kind)) ^ (not intact and kind != b"IDAT")
    return struct.pack(">L4s", len(content), kind) + content + struct.pack(">L", checksum)


def _decides(kind: bytes, content: bytes, header: bytes) -> bool:
    if kind in _COLOUR:
        return len(content) in _COLOUR[kind]
    if kind == b"tRNS" and len(header) == 13:
        return len(content) == _KEYED_LENGTH.get(header[9], len(content))
    if kind == b"eXIf":
        return len(content) <= _MOST_METADATA
    if not content.startswith(_ORIENTATION_TEXTS):
        return False
    # Pillow refuses a picture whose texts are longer; none that holds an orientation is.
    if kind == b"zTXt":
        return _inflated(content.split(b"\0", 1)[1][1:], _MOST_TEXT) is not None
    plain = kind == b"tEXt" or (kind == b"iTXt" and content.split(b"\0", 1)[1][:1] == b"\0")
    return plain and len(content) < _MOST_TEXT


def _profile(content: bytes) -> bytes | None:
    return _inflated(content.split(b"\0", 1)[1][1:], _MOST_METADATA) if b"\0" in content else None


def _inflated(content: bytes, most: int) -> bytes | None:
    """What a compressed text holds; None where it is damaged or longer than ``most`` bytes."""
    stream = zlib.decompressobj()
    try:
        text = stream.decompress(content, most)
    except zlib.error:
        return None
    return text if stream.eof else None


def _share(data: list[bytes], header: bytes) -> float:
    """Of the bytes of all rows that the compressed image data bring."""
    if len(header) != 13 or 0 in struct.unpack_from(">LL", header):
        return 0.0
    stream, produced = zlib.decompressobj(), 0
    try:
        for content in data:
            for start in range(0, len(content), 65536):
                produced += len(stream.decompress(content[start : start + 65536]))
    except zlib.error:
        pass
    return min(1.0, produced / _bytes_of_rows(header))


def _bytes_of_rows(header: bytes) -> int:
    width, height, bits, colour, _, _, interlaced = struct.unpack(">LLBBBBB", header)
    bits *= _CHANNELS.get(colour, 1)
    passes = _ADAM7 if interlaced else ((0, 1, 0, 1),)
    total = 0
    for left, across, top, down in passes:
        columns, rows = (width - left + across - 1) // across, (height - top + down - 1) // down
        total += rows * (1 + (columns * bits + 7) // 8) if columns > 0 and rows > 0 else 0
    return max(total, 1)
