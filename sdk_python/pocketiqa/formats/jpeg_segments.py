"""A JPEG's segments, from its start to its end marker: what lies behind that is no part of the picture."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pocketiqa.errors import PhotoError

EOI = b"\xff\xd9"
# Inside a scan every byte FF is followed by 00, a restart marker, or fill bytes FF.
_MARKER_IN_SCAN = re.compile(rb"\xff[\xc0-\xcf\xd8-\xfe]")
_SOF = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_SOS, _SOI = 0xDA, 0xD8
# Frames that libjpeg has no decoder for, by their marker.
_FOREIGN_FRAMES = {0xC3: "lossless", 0xF7: "lossless (JPEG-LS)", 0xCB: "lossless, arithmetic-coded"} | {
    marker: "hierarchical" for marker in (0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF)
}


@dataclass(frozen=True)
class Frame:
    """What the frame header says.

    Attributes:
        width, height: in pixels.
        components: each one's identifier and its sampling factors (horizontal, vertical).
        progressive: whether the picture is refined over several scans.
    """

    width: int
    height: int
    components: dict[int, tuple[int, int]]
    progressive: bool


@dataclass
class Segments:
    """A JPEG taken apart.

    Attributes:
        frame: its header.
        head: the segments before the first scan that decide about the picture, marker and length included.
        body: from the first scan to the end marker, which is appended where the file lacks it.
        scans: the header of each scan: what follows its length.
        ended: whether the file has an end marker of its own.
    """

    frame: Frame
    head: list[bytes] = field(default_factory=list)
    body: bytes = b""
    scans: list[bytes] = field(default_factory=list)
    ended: bool = False

    @property
    def encoded(self) -> bytes:
        """The picture as one JPEG, without a trailer and without metadata that says nothing about it."""
        return b"".join([b"\xff\xd8", *self.head, self.body])


def walk(encoded: bytes) -> Segments:
    """Take the JPEG at the start of ``encoded`` apart.

    Raises:
        PhotoError: a kind of JPEG that is not supported, or one that ends before its first scan.
    """
    head: list[bytes] = []
    frame: Frame | None = None
    position = 2
    while True:
        position, marker = _next_marker(encoded, position)
        if marker == _SOS:
            break
        if marker == _SOI or 0xD0 <= marker <= 0xD9 or marker == 0x01:
            continue
        end = position + int.from_bytes(encoded[position : position + 2], "big")
        content = encoded[position + 2 : end]
        if marker in _FOREIGN_FRAMES:
            raise PhotoError(f"a {_FOREIGN_FRAMES[marker]} JPEG; supported are baseline and progressive ones")
        if marker in _SOF:
            frame = _frame(marker, content)
        if end < position + 2 or end > len(encoded):
            raise PhotoError("a JPEG that ends before its image data: the file is damaged")
        if _decides(marker, content):
            head.append(b"\xff" + bytes([marker]) + encoded[position:end])
        position = end
    if frame is None:
        raise PhotoError("a JPEG without a frame header: the file is damaged")
    segments = Segments(frame, head)
    _walk_scans(encoded, position - 2, segments)
    return segments


def _walk_scans(encoded: bytes, start: int, segments: Segments) -> None:
    position, end = start, None
    while end is None:
        found = _MARKER_IN_SCAN.search(encoded, position)
        if found is None:
            break
        position, marker = found.end(), encoded[found.end() - 1]
        if marker == EOI[1]:
            end = position
            segments.ended = True
            continue
        length = int.from_bytes(encoded[position : position + 2], "big")
        if marker == _SOS:
            segments.scans.append(encoded[position + 2 : position + length])
        # A length that leads out of the file is damage, and no reason to lose the end marker.
        if marker != _SOI and 2 <= length <= len(encoded) - position:
            position += length
    body = encoded[start:end]
    segments.body = body if segments.ended else body.removesuffix(b"\xff") + EOI


def _next_marker(encoded: bytes, position: int) -> tuple[int, int]:
    """Where the next marker's content starts, and the marker; bytes between segments are passed over."""
    while (position := encoded.find(b"\xff", position)) >= 0 and position + 1 < len(encoded):
        marker = encoded[position + 1]
        if marker not in (0x00, 0xFF):
            return position + 2, marker
        position += 1
    raise PhotoError("a JPEG that ends before its image data: the file is damaged")


def _frame(marker: int, content: bytes) -> Frame:
    if len(content) < 6 or len(content) < 6 + 3 * content[5]:
        raise PhotoError("a JPEG with a damaged frame header")
    bits, height, width = content[0], int.from_bytes(content[1:3], "big"), int.from_bytes(content[3:5], "big")
    if bits != 8:
        raise PhotoError(f"a JPEG of {bits} bits a sample; supported are 8")
    if height == 0:
        raise PhotoError("a JPEG that tells its height behind its pixels, which is not supported")
    rows = [content[6 + 3 * i : 9 + 3 * i] for i in range(content[5])]
    if len(rows) not in (1, 3, 4):
        raise PhotoError(f"a JPEG of {len(rows)} components; supported are grey (1), colour (3) and CMYK (4)")
    components = {row[0]: (row[1] >> 4, row[1] & 15) for row in rows}
    return Frame(width, height, components, marker in (0xC2, 0xCA))


def _decides(marker: int, content: bytes) -> bool:
    """Whether a segment says something about the picture: metadata beside it may be damaged, and is passed over."""
    if marker == 0xE0:
        return content.startswith(b"JFIF\0") and len(content) >= 12
    if marker == 0xE1:
        return content.startswith((b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"))
    if marker == 0xE2:
        return content.startswith(b"ICC_PROFILE\0") and len(content) > 14
    if marker == 0xEE:
        return content.startswith(b"Adobe") and len(content) >= 12
    return not (0xE0 <= marker <= 0xEF or marker == 0xFE)
