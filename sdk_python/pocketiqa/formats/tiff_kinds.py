"""Which TIFFs are decoded right: the kinds of pixels that were compared with a second decoder, and no other.

Pillow accepts more, and reads some of them as a negative, as noise or nearly black. ``tests/sdk_python/test_tiff.py``
writes each kind and compares it with its own values and with tifffile's reading.
"""

from __future__ import annotations

from pocketiqa.errors import PhotoError
from pocketiqa.formats.tiff_pages import Page, Tag

_PHOTOMETRIC = {
    0: "white is zero", 1: "grey", 2: "RGB", 3: "palette", 4: "a mask", 5: "CMYK", 6: "YCbCr", 8: "CIE Lab",
    9: "ICC Lab", 10: "ITU Lab", 32844: "LogL", 32845: "LogLuv",
}  # fmt: skip
_SAMPLES = {1: "unsigned", 2: "signed", 3: "float"}
_COMPRESSIONS = {
    1: "none", 2: "CCITT", 3: "CCITT group 3", 4: "CCITT group 4", 5: "LZW", 7: "JPEG", 8: "deflate", 32946: "deflate",
    32773: "PackBits", 34925: "LZMA", 50000: "Zstandard",
}  # fmt: skip
_RAW, _CCITT, _JPEG = 1, (2, 3, 4), 7
# How the samples of a pixel lie: side by side, in planes, or in planes that are compressed.
_CHUNKY, _PLANES, _PACKED_PLANES = "side by side", "in planes", "in compressed planes"
_BOTH, _PACKED = {_CHUNKY, _PLANES, _PACKED_PLANES}, {_CHUNKY, _PACKED_PLANES}
# Photometric interpretation, bits a sample, samples a pixel, extra samples (0 unknown, 1 premultiplied opacity,
# 2 opacity) and the layouts that are decoded right. All of unsigned samples.
_ALLOWED: dict[tuple[int, int, int, tuple[int, ...]], set[str]] = {
    **{(0, bits, 1, ()): {_CHUNKY} for bits in (1, 2, 4, 8)},
    **{(1, bits, 1, ()): {_CHUNKY} for bits in (1, 2, 4, 8, 16)},
    **{(1, 8, 2, (extra,)): {_CHUNKY} for extra in (0, 1, 2)},
    **{(3, bits, 1, ()): {_CHUNKY} for bits in (1, 2, 4, 8)},
    **{(2, 8, 3, ()): _BOTH, (2, 8, 4, ()): {_CHUNKY}, (2, 8, 4, (2,)): _BOTH},
    **{(2, 8, 4, (0,)): _PACKED, (2, 8, 4, (1,)): _PACKED},
    **{(2, 8, 5, (extra, 0)): {_CHUNKY} for extra in (0, 1, 2)},
    **{(2, 16, 3, ()): _PACKED, (2, 16, 4, ()): {_CHUNKY}},
    **{(2, 16, 4, (extra,)): _PACKED for extra in (0, 1, 2)},
    **{(5, 8, 4, ()): _BOTH, (5, 8, 5, (0,)): _PACKED, (5, 16, 4, ()): _PACKED},
    **{(6, 8, 3, ()): {_CHUNKY}, (8, 8, 3, ()): {_CHUNKY}},
}


def check(page: Page, encoded: bytes) -> None:
    """Raises PhotoError for a page of ``encoded`` of a kind that was not seen to be decoded right."""
    if encoded[:4] == b"MM\0+":
        raise PhotoError("a BigTIFF of big-endian order, which is not supported; save it as TIFF")
    order, compression = encoded[:2], page.first(Tag.COMPRESSION, _RAW)
    if compression not in _COMPRESSIONS:
        raise _refusal(page, f"compressed by method {compression}")
    if not _is_allowed(page, compression, order):
        raise _refusal(page, f"compressed by {_COMPRESSIONS[compression]}" if compression != _RAW else "not compressed")


def _is_allowed(page: Page, compression: int, order: bytes) -> bool:
    photometric, bits = page.first(Tag.PHOTOMETRIC, 0), page.tags.get(Tag.BITS, (1,))
    samples, extra = _samples(page), page.tags.get(Tag.EXTRA_SAMPLES, ())
    formats = set(page.tags.get(Tag.SAMPLE_FORMAT, (1,)))
    planes = page.first(Tag.PLANAR, 1) == 2 and samples > 1
    layout = (_PLANES if compression == _RAW else _PACKED_PLANES) if planes else _CHUNKY
    if len(set(bits)) > 1 or len(formats) > 1:
        return False
    reversed_bits = page.first(Tag.FILL_ORDER, 1) == 2
    if reversed_bits and (photometric not in (0, 1) or bits[0] > 4 or compression not in (_RAW, *_CCITT)):
        return False
    if formats & {2, 3}:  # one plane of wide grey, whose range is judged later
        swapped = order == b"MM" and compression != _RAW
        return (photometric, bits[0], samples, extra) == (1, 32, 1, ()) and not swapped
    if photometric == 6 and compression != _JPEG and page.tags.get(Tag.SUBSAMPLING, (2, 2)) != (1, 1):
        return False
    return layout in _ALLOWED.get((photometric, bits[0], samples, extra), ())


def _samples(page: Page) -> int:
    return page.first(Tag.SAMPLES, len(page.tags.get(Tag.BITS, (1,))))


def _refusal(page: Page, compressed: str) -> PhotoError:
    bits = page.tags.get(Tag.BITS, (1,))
    kind = _SAMPLES.get(page.first(Tag.SAMPLE_FORMAT, 1), "odd")
    photometric = page.first(Tag.PHOTOMETRIC, 0)
    words = [
        _PHOTOMETRIC.get(photometric, f"photometric interpretation {photometric}"),
        f"{_samples(page)} samples of {'/'.join(map(str, sorted(set(bits))))} bits ({kind})",
        _PLANES if page.first(Tag.PLANAR, 1) == 2 else _CHUNKY,
        compressed,
    ]
    return PhotoError(f"a TIFF of a kind that is not supported ({', '.join(words)}); save it as 8-bit RGB")
