"""Writes TIFFs of any kind of pixels, right or odd: Pillow and tifffile write only what they think sensible."""

from __future__ import annotations

import struct
import zlib

import numpy as np

RAW, DEFLATE = 1, 8


def tiff(
    array: np.ndarray,
    bits: int,
    photometric: int,
    *,
    order: str = "<",
    planes: bool = False,
    compression: int = RAW,
    tiled: bool = False,
    fill: int = 1,
    sample_format: int = 1,
    extra: tuple[int, ...] = (),
    tags: dict[int, tuple[int, ...]] | None = None,
    big: bool = False,
) -> bytes:
    """A TIFF of one page.

    Args:
        array: H×W×S, whole numbers of ``bits`` bits, or floats.
        photometric, sample_format, extra, fill, compression: as in the tags of these names.
        order: ``<`` or ``>``.
        tags: others, by number, of 32-bit values.
    """
    return pages([(array, bits, photometric, dict(planes=planes, compression=compression, tiled=tiled, fill=fill,
                   sample_format=sample_format, extra=extra, tags=tags or {}))], order, big)  # fmt: skip


def pages(of: list[tuple[np.ndarray, int, int, dict]], order: str = "<", big: bool = False) -> bytes:
    """A TIFF of several pages, each as the arguments of ``tiff``."""
    mark = b"II" if order == "<" else b"MM"
    out = mark + (struct.pack(order + "HHHQ", 43, 8, 0, 0) if big else struct.pack(order + "HL", 42, 0))
    link = len(out) - (8 if big else 4)
    for array, bits, photometric, options in of:
        directory, link_inside, body = _page(array, bits, photometric, order, big, len(out), **options)
        out = _set(out, link, len(out) + len(body), order, big)
        link = len(out) + len(body) + link_inside
        out += body + directory
    return out


def _set(out: bytes, at: int, value: int, order: str, big: bool) -> bytes:
    packed = struct.pack(order + ("Q" if big else "L"), value)
    return out[:at] + packed + out[at + len(packed) :]


def _page(
    array: np.ndarray, bits: int, photometric: int, order: str, big: bool, start: int, *,
    planes: bool = False, compression: int = RAW, tiled: bool = False, fill: int = 1, sample_format: int = 1,
    extra: tuple[int, ...] = (), tags: dict[int, tuple[int, ...]] | None = None,
) -> tuple[bytes, int, bytes]:  # fmt: skip
    """The directory, where in it the link to the next one stands, and the data before it."""
    height, width, samples = array.shape
    body, offsets, counts = b"", [], []
    for plane in [array[..., i : i + 1] for i in range(samples)] if planes else [array]:
        for block in _blocks(plane, tiled):
            packed = _packed(block, bits, sample_format, order)
            packed = packed.translate(_REVERSED) if fill == 2 else packed
            packed = zlib.compress(packed) if compression == DEFLATE else packed
            offsets.append(start + len(body))
            counts.append(len(packed))
            body += packed + bytes(len(packed) % 2)
    entries: dict[int, tuple[str, tuple[int, ...]]] = {
        256: ("L", (width,)), 257: ("L", (height,)), 258: ("H", (bits,) * samples), 259: ("H", (compression,)),
        262: ("H", (photometric,)), 266: ("H", (fill,)), 277: ("H", (samples,)), 284: ("H", (1 + planes,)),
        339: ("H", (sample_format,) * samples),
    }  # fmt: skip
    if extra:
        entries[338] = ("H", extra)
    if tiled:
        entries |= {322: ("L", (32,)), 323: ("L", (16,)), 324: ("L", (*offsets,)), 325: ("L", (*counts,))}
    else:
        entries |= {273: ("L", (*offsets,)), 278: ("L", (20,)), 279: ("L", (*counts,))}
    entries |= {number: ("H" if number in (320, 530) else "L", values) for number, values in (tags or {}).items()}
    head, each, room = (8, 20, 8) if big else (2, 12, 4)
    inside = head + each * len(entries)
    directory, beyond = struct.pack(order + ("Q" if big else "H"), len(entries)), b""
    for number, (kind, values) in sorted(entries.items()):
        content = struct.pack(f"{order}{len(values)}{kind}", *values)
        directory += struct.pack(order + ("HHQ" if big else "HHL"), number, 3 if kind == "H" else 4, len(values))
        if len(content) > room:
            content, place = b"", start + len(body) + inside + room + len(beyond)
            beyond += struct.pack(f"{order}{len(values)}{kind}", *values) + bytes(2 * (len(values) % 2 and kind == "H"))
            content = struct.pack(order + ("Q" if big else "L"), place)
        directory += content.ljust(room, b"\0")
    return directory + bytes(room) + beyond, inside, body


_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))


def _blocks(plane: np.ndarray, tiled: bool) -> list[np.ndarray]:
    height, width, samples = plane.shape
    if not tiled:
        return [plane[top : top + 20] for top in range(0, height, 20)]
    padded = np.zeros((-(-height // 16) * 16, -(-width // 32) * 32, samples), plane.dtype)
    padded[:height, :width] = plane
    tops, lefts = range(0, len(padded), 16), range(0, padded.shape[1], 32)
    return [padded[top : top + 16, left : left + 32] for top in tops for left in lefts]


def _packed(block: np.ndarray, bits: int, sample_format: int, order: str) -> bytes:
    if bits in (8, 16, 32, 64):
        return block.astype(f"{order}{' uif'[sample_format]}{bits // 8}").tobytes()
    rows = block.reshape(len(block), -1, 1).astype(np.int64) >> np.arange(bits - 1, -1, -1) & 1
    return b"".join(np.packbits(row.astype(np.uint8).ravel()).tobytes() for row in rows)
