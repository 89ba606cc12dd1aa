"""Encoded bytes become a picture that Pillow has opened, or whose pixels are there, and what is to be said about it."""

from __future__ import annotations

import importlib
import io
from dataclasses import dataclass, field

from PIL import Image, ImageFile

from pocketiqa.errors import PhotoError, one_line
from pocketiqa.formats import (
    iso_boxes,
    jpeg_damage,
    jpeg_pixels,
    jpeg_segments,
    png_chunks,
    tiff_damage,
    tiff_kinds,
    tiff_pages,
)
from pocketiqa.formats.damage import zero_tail
from pocketiqa.formats.recognition import FORMATS, format_of, words_for
from pocketiqa.halving import jpeg_factor_of
from pocketiqa.limits import PhotoLimits

# Pillow's reader of each format. It is called directly: Image.open would try others, and hide this one's reason.
_READERS = {
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "WEBP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "PPM": ("PIL.PpmImagePlugin", "PpmImageFile"),
    "JPEG2000": ("PIL.Jpeg2KImagePlugin", "Jpeg2KImageFile"),
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile"),
}
# Both packages have one interface; pi_heif lacks the encoder.
_HEIF_PACKAGES = ("pi_heif", "pillow_heif")
# Measured by benchmarks.experiments.encodings.
_DEEP_AVIF = "an AVIF of more than 8 bits, which is decoded about a level too dark; the score may be off by 0.02"


@dataclass
class Opened:
    """A picture before its pixels become sRGB.

    Attributes:
        header: opened by Pillow, and not decoded. Its ``info`` may hold ``cicp``: primaries, transfer function, matrix
            and range.
        size: width and height of the picture in the file; the image is smaller where it is decoded at a reduced scale.
        warnings: what a result must say about it.
        decoded: the picture, where another than Pillow has decoded it.
    """

    header: Image.Image
    size: tuple[int, int]
    warnings: list[str] = field(default_factory=list)
    decoded: Image.Image | None = None

    @property
    def image(self) -> Image.Image:
        """What has the pixels."""
        return self.decoded or self.header


def open_encoded(encoded: bytes, limits: PhotoLimits, enough: int | None = None) -> Opened:
    """The picture in an encoded file, within ``limits``; a JPEG halved as ``pocketiqa.halving`` says.

    Raises:
        PhotoError: no supported format, a kind of it that is not supported, damaged, or outside the limits.
    """
    name = format_of(encoded)
    if name is None:
        raise PhotoError(f"the file is {words_for(encoded)}; supported are {', '.join(FORMATS)}")
    if name == "JPEG":
        return _jpeg(encoded, name, limits, enough)
    opened = {"PNG": _png, "TIFF": _tiff, "HEIF": _heif}.get(name, _other)(encoded, name)
    limits.check_size(*opened.size)
    return opened


def _read(encoded: bytes, name: str) -> Image.Image:
    module, reader = _READERS[name]
    return _opened(getattr(importlib.import_module(module), reader), encoded, name)


def _opened(reader: type[ImageFile.ImageFile], encoded: bytes, name: str) -> Image.Image:
    try:
        return reader(io.BytesIO(encoded), "")
    except Exception as error:  # Pillow's readers raise nearly anything on damaged headers
        raise PhotoError(f"the header of this {name} file cannot be read: {one_line(error)}") from error


def _jpeg(encoded: bytes, name: str, limits: PhotoLimits, enough: int | None) -> Opened:
    segments = jpeg_segments.walk(encoded)
    limits.check_scans(len(segments.scans))
    frame = segments.frame
    size = (frame.width, frame.height)
    needed = limits.jpeg_scale(*size, len(frame.components) if frame.progressive else 0)
    scale = max(needed, jpeg_factor_of(size, enough))
    if decoded := jpeg_pixels.decoded(segments, scale):
        return Opened(_read(segments.encoded, name), size, decoded=decoded)
    sound, warning = jpeg_damage.judged(segments)
    image = _read(sound, name)
    if scale > 1:
        image.draft(None, (frame.width // scale, frame.height // scale))
    return Opened(image, size, [warning] if warning else [])


def _png(encoded: bytes, name: str) -> Opened:
    png = png_chunks.walk(encoded)
    image = _read(png.encoded, name)
    image.info |= {key: value for key, value in (("icc_profile", png.icc_profile), ("cicp", png.cicp)) if value}
    return Opened(image, image.size, [png.warning] if png.warning else [])


def _tiff(encoded: bytes, name: str) -> Opened:
    pointed, page, warning = tiff_pages.main_page(encoded)
    tiff_kinds.check(page, encoded)
    image = _read(pointed, name)
    warnings = [warning, tiff_damage.warning_of(encoded, page), zero_tail(encoded)]
    return Opened(image, image.size, [text for text in warnings if text])


def _heif(encoded: bytes, name: str) -> Opened:
    for package in _HEIF_PACKAGES:
        try:
            reader = importlib.import_module(package).HeifImageFile
        except ImportError:
            continue
        image = _opened(reader, encoded, name)
        return _coloured(image, encoded)
    raise PhotoError("the file is HEIC or HEIF, which needs the package pi-heif: pip install 'pocketiqa[heif]'")


def _other(encoded: bytes, name: str) -> Opened:
    if name == "WEBP":
        encoded = encoded[: 8 + int.from_bytes(encoded[4:8], "little")]
    image = _read(encoded, name)
    return _coloured(image, encoded)


def _coloured(image: Image.Image, encoded: bytes) -> Opened:
    tail = zero_tail(encoded)
    cicp = iso_boxes.cicp(encoded) if encoded[4:8] == b"ftyp" else None
    # In these files, unlike PNG, a profile is what counts, and the numbers say how it was coded.
    if cicp and (not image.info.get("icc_profile") or cicp[1] in (16, 18)):
        image.info["cicp"] = cicp
    deep = encoded[4:8] == b"ftyp" and iso_boxes.has_deep_av1(encoded)
    return Opened(image, image.size, [text for text in (tail, _DEEP_AVIF if deep else None) if text])
