"""A TIFF's pages, and which of them is the picture: a thumbnail, a mask or a preview inside a raw file is none."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from pocketiqa.errors import PhotoError

_MOST_PAGES, _MOST_VALUES, _MOST_PLACES = 4096, 64, 1_000_000
# Types of TIFF 6.0 and of BigTIFF that hold whole numbers, with their letters in ``struct``.
_INTEGERS = {1: "B", 3: "H", 4: "L", 6: "b", 7: "B", 8: "h", 9: "l", 13: "L", 16: "Q", 17: "q", 18: "Q"}
_REDUCED, _MASK = 1, 4
# Photometric interpretations of sensors' values (CFA, linear raw), and camera makers' compressions.
_RAW_PHOTOMETRIC = {32803, 34892}
_RAW_COMPRESSION = {32767, 32769, 32770, 34713, 65000, 65535}


class Tag:
    """Numbers of the tags that are read here."""

    NEW_SUBFILE, SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 255, 256, 257, 258, 259, 262
    FILL_ORDER, SAMPLES, PLANAR, SUB_IFDS, EXTRA_SAMPLES, SAMPLE_FORMAT, SUBSAMPLING = 266, 277, 284, 330, 338, 339, 530
    DNG_VERSION = 50706
    # Where the compressed pieces lie, which may be many: of strips, of tiles, and the tables that JPEG pieces share.
    PLACES = STRIP_OFFSETS, STRIP_BYTES, TILE_OFFSETS, TILE_BYTES, JPEG_TABLES = 273, 279, 324, 325, 347


@dataclass(frozen=True)
class Page:
    """One image file directory.

    Attributes:
        offset: of it in the file.
        tags: whole numbers by tag; longer lists than 64 are left out, but for those that say where the data lie.
    """

    offset: int
    tags: dict[int, tuple[int, ...]]

    def first(self, tag: int, default: int) -> int:
        """The first value of a tag, or the default where the page lacks it."""
        return self.tags.get(tag, (default,))[0]

    @property
    def area(self) -> int:
        """Width × height."""
        return self.first(Tag.WIDTH, 0) * self.first(Tag.HEIGHT, 0)

    @property
    def is_a_copy(self) -> bool:
        """Whether the page says of itself that it is a reduced picture or a mask."""
        return bool(self.first(Tag.NEW_SUBFILE, 0) & (_REDUCED | _MASK)) or self.first(Tag.SUBFILE, 1) == 2

    @property
    def is_raw(self) -> bool:
        """Whether it holds a sensor's values, or belongs to a file that does."""
        return (
            Tag.DNG_VERSION in self.tags
            or self.first(Tag.PHOTOMETRIC, 0) in _RAW_PHOTOMETRIC
            or self.first(Tag.COMPRESSION, 1) in _RAW_COMPRESSION
        )


class _Layout(NamedTuple):
    order: str
    big: bool

    def number(self, encoded: bytes, at: int, letter: str) -> int:
        return struct.unpack_from(self.order + letter, encoded, at)[0]


def main_page(encoded: bytes) -> tuple[bytes, Page, str | None]:
    """The file with its header pointing to the picture's page, that page, and a warning about the choice.

    Raises:
        PhotoError: a raw file, or a TIFF without a page.
    """
    layout = _Layout("<" if encoded[:2] == b"II" else ">", encoded[2 if encoded[:2] == b"II" else 3] == 43)
    pages = [page for page in _pages(encoded, layout) if page.area]
    if not pages:
        raise PhotoError("a TIFF without a page that can be read: the file is damaged")
    if any(page.is_raw for page in pages):
        raise PhotoError("the file is a raw file of a camera; a preview inside it was not scored")
    whole = [page for page in pages if not page.is_a_copy]
    page = max(whole or pages, key=lambda page: page.area)
    pointed = bytearray(encoded)
    struct.pack_into(layout.order + ("Q" if layout.big else "L"), pointed, 8 if layout.big else 4, page.offset)
    return bytes(pointed), page, None if whole else "the TIFF calls each of its pictures a reduced copy or a mask"


def _pages(encoded: bytes, layout: _Layout) -> Iterator[Page]:
    """The pages of the chain and those below them, each once; a damaged one ends its branch."""
    start = layout.number(encoded, 8, "Q") if layout.big else layout.number(encoded, 4, "L")
    waiting, seen = [start], set()
    while waiting and len(seen) < _MOST_PAGES:
        offset = waiting.pop()
        if offset == 0 or offset in seen:
            continue
        seen.add(offset)
        try:
            page, following = _page(encoded, offset, layout)
        except struct.error:
            continue
        yield page
        waiting += [following, *page.tags.get(Tag.SUB_IFDS, ())]


def _page(encoded: bytes, offset: int, layout: _Layout) -> tuple[Page, int]:
    width, counter, word, entry = (8, "Q", "Q", 20) if layout.big else (2, "H", "L", 12)
    count = layout.number(encoded, offset, counter)
    tags = {}
    for i in range(min(count, _MOST_PAGES)):
        at = offset + width + i * entry
        tag, kind = (layout.number(encoded, at + step, "H") for step in (0, 2))
        values = layout.number(encoded, at + 4, word)
        if kind not in _INTEGERS or not 0 < values <= (_MOST_PLACES if tag in Tag.PLACES else _MOST_VALUES):
            continue
        form = f"{layout.order}{values}{_INTEGERS[kind]}"
        room = at + entry - (8 if layout.big else 4)
        place = room if struct.calcsize(form) <= at + entry - room else layout.number(encoded, room, word)
        try:
            tags[tag] = struct.unpack_from(form, encoded, place)
        except struct.error:
            continue
    return Page(offset, tags), layout.number(encoded, offset + width + count * entry, word)
