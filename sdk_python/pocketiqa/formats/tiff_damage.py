"""Damage to the JPEG pieces inside a TIFF, which libtiff paints over in grey without a word."""

from __future__ import annotations

from collections.abc import Iterator

from pocketiqa.errors import PhotoError
from pocketiqa.formats import jpeg_damage, jpeg_segments
from pocketiqa.formats.damage import SHARE_NEEDED, refusal
from pocketiqa.formats.tiff_pages import Page, Tag

_JPEG = 7


def warning_of(encoded: bytes, page: Page) -> str | None:
    """A warning where pieces of the page are damaged JPEGs; None for a sound page, or one of another compression.

    Raises:
        PhotoError: less than ``SHARE_NEEDED`` of the pieces are sound.
    """
    if page.first(Tag.COMPRESSION, 1) != _JPEG:
        return None
    complaints = [_complaint(piece) for piece in _pieces(encoded, page)]
    found = [complaint for complaint in complaints if complaint]
    if not found:
        return None
    share = 1 - len(found) / len(complaints)
    if share < SHARE_NEEDED:
        raise refusal(share)
    return f"the file is damaged: {found[0]}"


def _complaint(piece: bytes) -> str | None:
    try:
        return jpeg_damage.complaint(jpeg_segments.walk(piece))
    except PhotoError as error:
        return str(error)


def _pieces(encoded: bytes, page: Page) -> Iterator[bytes]:
    """Each strip or tile as a JPEG of its own, with the tables that all share."""
    tables = bytes(page.tags.get(Tag.JPEG_TABLES, ()))
    shared = tables.removesuffix(jpeg_segments.EOI) if len(tables) > 4 else b"\xff\xd8"
    tiled = Tag.TILE_OFFSETS in page.tags
    offsets = page.tags.get(Tag.TILE_OFFSETS if tiled else Tag.STRIP_OFFSETS, ())
    counts = page.tags.get(Tag.TILE_BYTES if tiled else Tag.STRIP_BYTES, ())
    for offset, count in zip(offsets, counts):
        yield shared + encoded[offset + 2 : offset + count]
