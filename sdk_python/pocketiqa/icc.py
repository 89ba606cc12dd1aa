"""ICC profiles: what one holds, and one built for a colour space that a file gives in numbers."""

from __future__ import annotations

import functools
import io
import struct
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageCms

# Half of it is what 8-bit rounding makes of a copy of sRGB.
_SRGB_TOLERANCE = 2
_D50 = (0.9642, 1.0, 0.8249)
# Bradford's cone responses, with which ICC profiles adapt a white point to D50.
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
# x and y of white, red, green and blue.
SRGB = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
ADOBE_RGB = (0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
# By their numbers in ITU-T H.273, table 2.
PRIMARIES: dict[int, tuple[float, ...]] = {
    1: SRGB,
    5: (0.3127, 0.3290, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (0.3127, 0.3290, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (0.3127, 0.3290, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    9: (0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}


@functools.lru_cache(maxsize=32)
def is_srgb(profile: bytes) -> bool:
    """Whether the RGB profile gives the colours of sRGB to within two of 255 levels, whatever its name says.

    Raises:
        ImageCms.PyCMSError, OSError, ValueError, TypeError: no valid profile of RGB pixels.
    """
    levels = np.linspace(0, 255, 8).round().astype(np.uint8)
    ramp = np.arange(256, dtype=np.uint8)
    probe = np.concatenate([np.stack(np.meshgrid(levels, levels, levels), -1).reshape(-1, 3), np.stack([ramp] * 3, 1)])
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    shown = ImageCms.profileToProfile(Image.fromarray(probe[None]), source, ImageCms.createProfile("sRGB"))
    return int(np.abs(np.asarray(shown)[0].astype(int) - probe).max()) <= _SRGB_TOLERANCE


def hdr_transfer(profile: bytes) -> int:
    """The number of the transfer function (H.273, table 3) in the profile's ``cicp`` tag; 2, unspecified, without."""
    if len(profile) >= 132:
        for i in range(min(struct.unpack_from(">L", profile, 128)[0], 100, (len(profile) - 132) // 12)):
            name, offset, size = struct.unpack_from(">4sLL", profile, 132 + 12 * i)
            if name == b"cicp" and size >= 12 and offset + 12 <= len(profile):
                return profile[offset + 9]
    return 2


@functools.lru_cache(maxsize=32)
def built(model: str, primaries: Sequence[float], gamma: float | None) -> bytes:
    """A version 4 display profile.

    Args:
        model: ``RGB`` or ``GRAY``.
        primaries: x and y of white, red, green and blue.
        gamma: the exponent from a value in [0, 1] to light; None is sRGB's curve.

    Raises:
        ValueError: primaries that span no colours, or a gamma out of [0.1, 10].
    """
    if gamma is not None and not 0.1 <= gamma <= 10:
        raise ValueError(f"a gamma of {gamma}")
    srgb = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    kind, values = (3, srgb) if gamma is None else (0, (gamma,))
    curve = b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + b"".join(map(_fixed, values))
    tags = {b"wtpt": _xyz(_D50), b"desc": _text("pocketiqa"), b"cprt": _text("none")}
    if model == "GRAY":
        tags[b"kTRC"] = curve
    else:
        columns = _to_d50(np.array(primaries, np.float64).reshape(4, 2)).T
        tags |= {name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns)}
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    return _file(model, tags)


def _to_d50(points: np.ndarray) -> np.ndarray:
    """The 3×3 matrix from linear RGB to XYZ under D50, of float64 4×2 chromaticities."""
    x, y = points.T
    if not (np.isfinite(points).all() and (y > 0).all()):
        raise ValueError("chromaticities that are no colours")
    colours = np.stack([x / y, np.ones(4), (1 - x - y) / y])
    white, primaries = colours[:, 0], colours[:, 1:]
    try:
        matrix = primaries * np.linalg.solve(primaries, white)
    except np.linalg.LinAlgError:
        raise ValueError("primaries that span no colours") from None
    ratio = (_BRADFORD @ np.array(_D50)) / (_BRADFORD @ white)
    return np.linalg.inv(_BRADFORD) @ (ratio[:, None] * _BRADFORD) @ matrix


def _file(model: str, tags: dict[bytes, bytes]) -> bytes:
    table, body, offset = struct.pack(">L", len(tags)), b"", 132 + 12 * len(tags)
    for name, content in tags.items():
        table += struct.pack(">4sLL", name, offset + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = bytearray(128)
    kind = b"mntr" + f"{model:4}XYZ ".encode()
    struct.pack_into(">L4sL12s", head, 0, offset + len(body), b"", 0x04300000, kind)
    head[36:40] = b"acsp"
    head[68:80] = _xyz(_D50)[8:]
    return bytes(head) + table + body


def _fixed(value: float) -> bytes:
    try:
        return struct.pack(">l", round(value * 65536))
    except struct.error:
        raise ValueError(f"{value} is no number of an ICC profile") from None


def _xyz(values: Sequence[float]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(map(_fixed, values))


def _text(text: str) -> bytes:
    content = text.encode("utf-16-be")
    return struct.pack(">4sLLL2s2sLL", b"mluc", 0, 1, 12, b"en", b"US", len(content), 28) + content
