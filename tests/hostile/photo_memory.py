"""Peak memory of decoding a photo, in bytes a pixel, for every format and kind of pixel.

python -m tests.hostile memory
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms
from pocketiqa.photo import open_photo

from tests.hostile.isolation import in_a_child

SIDE = 4000
# (format, mode, options): what can be written in each, and what costs most in reading.
KINDS = [
    ("JPEG", "RGB", {}), ("JPEG", "RGB", {"progressive": True, "subsampling": 0}),
    ("JPEG", "CMYK", {"progressive": True, "subsampling": 0}), ("PNG", "RGB", {}), ("PNG", "RGBA", {}),
    ("PNG", "1", {}), ("PNG", "I;16", {}), ("PNG", "P", {}), ("WEBP", "RGB", {"quality": 50}), 
    ("WEBP", "RGBA", {"lossless": True}),
    ("GIF", "P", {}), ("BMP", "RGB", {}), ("TIFF", "RGB", {}), ("TIFF", "RGBA", {"compression": "tiff_lzw"}),
    ("TIFF", "F", {}), ("TIFF", "I", {}), ("TIFF", "LAB", {}), ("PPM", "RGB", {}), ("JPEG2000", "RGB", {}),
    ("JPEG2000", "RGBA", {}), ("AVIF", "RGB", {"speed": 10}), ("AVIF", "RGBA", {"speed": 10}),
    ("HEIF", "RGB", {}), ("HEIF", "RGBA", {}),
]  # fmt: skip


def measure(side: int = SIDE) -> Iterator[tuple[str, str, bool, float, float]]:
    """For every kind: format, mode, whether it is turned by its EXIF orientation, peak bytes a pixel while it is
    read (the file's own bytes included), and seconds."""
    for style, mode, options in KINDS:
        turned = style in ("JPEG", "PNG", "WEBP", "TIFF") and mode in ("RGB", "RGBA", "CMYK")
        # Written in a child too: what this process once held would hide what the reading child takes.
        with tempfile.NamedTemporaryFile() as file:
            in_a_child(partial(write, file.name, style, mode, options, side, turned), 120, None)
            encoded = Path(file.name).read_bytes()

        def read(encoded: bytes = encoded) -> list[int]:
            return list(open_photo(encoded).size)

        ending = in_a_child(read, seconds=120, memory_mib=None)
        if ending.kind != "returned":
            raise RuntimeError(f"{style} {mode}: {ending.value}")
        name = f"{style}, progressive" if "progressive" in options else style
        yield name, mode, turned, (ending.grown_mib * 2**20 + len(encoded)) / side**2, ending.seconds


def write(path: str, style: str, mode: str, options: dict, side: int, turned: bool) -> None:
    """A picture of smooth colours, which compresses fast, written as asked."""
    ramp = np.linspace(0, 255, side).astype(np.uint8)
    grey = Image.fromarray(np.broadcast_to(ramp, (side, side)).copy())
    if mode in ("I;16", "I", "F"):
        image = Image.fromarray(np.asarray(grey).astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]))
    elif mode == "LAB":
        lab = ImageCms.createProfile("LAB")
        image = ImageCms.profileToProfile(grey.convert("RGB"), ImageCms.createProfile("sRGB"), lab, outputMode="LAB")
    else:
        image = grey.convert("RGB").convert(mode)
    if turned:
        exif = Image.Exif()
        exif[0x0112] = 6
        options = {**options, "exif": exif}
    if style == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    image.save(path, style, **options)
