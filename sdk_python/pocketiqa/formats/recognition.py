"""Which format a file's first bytes tell, so that a refusal names it."""

from __future__ import annotations

import re

# Supported formats by their first bytes. Formats that start other programs (EPS starts Ghostscript) or are no photos
# are left out on purpose.
_SUPPORTED = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "WEBP": rb"RIFF....WEBP",
    "GIF": rb"GIF8[79]a",
    "BMP": rb"BM",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "PPM": rb"P[1-6]\s|Pf\s",
    "JPEG2000": rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  \r\n\x87\n",
}
FORMATS = (*_SUPPORTED, "AVIF", "HEIF")

_RAW = "a raw file of a camera (a preview inside it was not scored)"
# Others, in the words of the refusal.
_OTHERS = {
    _RAW: (
        rb"II\*\0\x10\0\0\0CR|IIU\0|IIRO|IIRS|MMOR|FUJIFILMCCD-RAW|\0MRM|FOVb|....ftypcrx|IIII\x1a|HEAPCCDR|ARRI"
    ),
    "JPEG XL": rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n",
    "JPEG XR": rb"II\xbc[\0\x01]",
    "High-Throughput JPEG 2000 or another file of the JPEG 2000 family": rb"\0\0\0\x0cj[PX]",
    "a colour PFM": rb"PF\s",
    "PAM": rb"P7\s",
    "a Photoshop document": rb"8BPS",
    "OpenEXR": rb"v/1\x01",
    "Radiance HDR": rb"#\?R",
    "PDF": rb"%PDF",
    "PostScript": rb"%!PS|\xc5\xd0\xd3\xc6",
    "DirectDraw Surface": rb"DDS ",
    "QOI": rb"qoif",
    "BPG": rb"BPG\xfb",
    "FLIF": rb"FLIF",
    "GIMP's own format": rb"gimp xcf",
    "a Windows icon": rb"\0\0[\x01\x02]\0",
    "an Apple icon": rb"icns",
    "SGI": rb"\x01\xda",
    "PCX": rb"\x0a[\0-\x05]\x01[\x01\x02\x04\x08]",
    "FITS": rb"SIMPLE  =",
    "a DICOM picture": rb"(?s:.{128})DICM",
    "a JNG or MNG animation": rb"\x8b(JNG|MNG)|\x8aMNG",
    "macOS's metadata beside a photo (AppleDouble)": rb"\0\x05\x16[\0\x07]",
    "a video": rb"....ftyp|....moov|....mdat|....wide|RIFF....AVI |\x1aE\xdf\xa3|\0\0\x01[\xb3\xba]",
    "a sound": rb"RIFF....WAVE|ID3|OggS|fLaC",
    "a ZIP archive": rb"PK\x03\x04",
    "a gzip archive": rb"\x1f\x8b",
    "an HTML page": rb"(?i:\s*(<!doctype html|<html))",
    "SVG or other XML": rb"\s*<(\?xml|svg)",
    "nothing but zero bytes": rb"\0{64}",
}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1", b"mif2"}


def format_of(encoded: bytes) -> str | None:
    """One of ``FORMATS``; None for a file of none of them."""
    brands = _brands(encoded)
    if brands & {b"avif", b"avis"}:
        return "AVIF"
    if brands & _HEIF_BRANDS and b"crx " not in brands:
        return "HEIF"
    if _matches(_OTHERS[_RAW], encoded):
        return None
    return next((name for name, start in _SUPPORTED.items() if _matches(start, encoded)), None)


def words_for(encoded: bytes) -> str:
    """What a file of none of ``FORMATS`` is, as the end of "the file is …"."""
    if not encoded:
        return "empty"
    found = next((words for words, start in _OTHERS.items() if _matches(start, encoded)), None)
    return f"{found}, which is not supported" if found else "no picture in a supported format"


def _matches(start: bytes, encoded: bytes) -> bool:
    return re.match(start, encoded[:4096], re.DOTALL) is not None


def _brands(encoded: bytes) -> set[bytes]:
    """The brands in the first box of an ISO media file; empty for another file."""
    if encoded[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(encoded[:4], "big"), len(encoded), 1024)
    return {encoded[8:12], *(encoded[i : i + 4] for i in range(16, end - 3, 4))}
