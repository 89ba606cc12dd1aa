"""What a file's numbers mean as colours: its ICC profile, or the colour space that it gives in numbers.

In this order, as PNG and AVIF ask: coding-independent code points (``cicp``), an ICC profile, PNG's ``sRGB`` chunk,
PNG's ``gAMA`` and ``cHRM``, EXIF's mark of Adobe RGB; without any of them, sRGB. A profile that is broken or belongs
to another colour model is passed over.
"""

from __future__ import annotations

import io

from PIL import ExifTags, Image, ImageCms

from pocketiqa import icc

_ICC_MODELS = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}
_HDR = {16: "PQ", 18: "HLG"}
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
# PNG's way to say sRGB: gAMA rounded to 1/2.2, whose difference from sRGB's curve is no intent.
_SRGB_GAMMA = 1 / 2.2


def to_srgb(colour: Image.Image, source: Image.Image) -> Image.Image:
    """``colour`` (L, RGB or CMYK) as RGB in sRGB, by what ``source``, the image that it came from, says of itself.

    It may be ``colour`` itself.
    """
    model = _ICC_MODELS[colour.mode]
    try:
        profile = _profile(source, model)
        if profile and not (model == "RGB" and icc.is_srgb(profile)):
            opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if opened.profile.xcolor_space.strip() == model:
                return ImageCms.profileToProfile(colour, opened, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        pass  # a broken profile says nothing about the pixels: read them as sRGB
    return colour if colour.mode == "RGB" else colour.convert("RGB")


def hdr_warning(source: Image.Image) -> str | None:
    """A line where the picture's values are those of a high dynamic range display, which no photo in training was."""
    transfer = source.info["cicp"][1] if "cicp" in source.info else 2
    profile = source.info.get("icc_profile")
    if transfer == 2 and isinstance(profile, bytes):
        transfer = icc.hdr_transfer(profile)
    if transfer not in _HDR:
        return None
    return f"HDR with the transfer function {_HDR[transfer]}, which is read as sRGB and not tone-mapped"


def _profile(source: Image.Image, model: str) -> bytes | None:
    """The profile to convert with; None where the values are sRGB's, or nothing tells."""
    info = source.info
    if "cicp" in info and info["cicp"][:2] != (2, 2):
        primaries, transfer = info["cicp"][:2]
        space = icc.PRIMARIES.get(primaries, icc.SRGB)
        gamma = _GAMMAS.get(transfer)
        known = transfer not in _HDR and (space != icc.SRGB or gamma is not None)
        return icc.built(model, space, gamma) if known else None
    if info.get("icc_profile"):
        return info["icc_profile"]
    if "srgb" in info or not ("gamma" in info or "chromaticity" in info):
        return icc.built(model, icc.ADOBE_RGB, 563 / 256) if model == "RGB" and _is_adobe_rgb(source) else None
    return _from_gamma(info.get("gamma", _SRGB_GAMMA), tuple(info.get("chromaticity", icc.SRGB)), model)


def _from_gamma(encoding: float, primaries: tuple[float, ...], model: str) -> bytes | None:
    if encoding <= 0:
        return None
    srgb_curve = abs(encoding / _SRGB_GAMMA - 1) < 0.02
    near = model == "GRAY" or max(abs(a - b) for a, b in zip(primaries, icc.SRGB)) < 0.002
    return None if srgb_curve and near else icc.built(model, primaries, None if srgb_curve else 1 / encoding)


def _is_adobe_rgb(source: Image.Image) -> bool:
    """Cameras set to Adobe RGB embed no profile: the design rule for camera file systems marks the file in EXIF."""
    if source.format != "JPEG" or "exif" not in source.info:
        return False
    try:
        return source.getexif().get_ifd(ExifTags.IFD.Interop).get(1) == "R03"
    except Exception:  # Pillow raises nearly anything on damaged EXIF
        return False
