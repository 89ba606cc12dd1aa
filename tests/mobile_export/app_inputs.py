"""Photos and input specs on which the code for apps, in each language, must give Pillow's tensors to the bit."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from PIL import Image
from pocketiqa.bundle import DEFAULT_BUNDLE, Bundle
from pocketiqa.photo import open_photo
from pocketiqa.preprocess import PreprocessSpec, preprocess

from mobile_export.bundle.golden import WALL, golden_photos

SPECS = {
    "shipped": Bundle.open().manifest.input,
    "tall": PreprocessSpec(height=224, width=160, views=("detail", "whole"), resample="lanczos", detail_short_side=300),
    "halves": PreprocessSpec(height=64, width=80, views=("whole", "detail"), detail_short_side=150, reduction="halves"),
    "wide": PreprocessSpec(height=96, width=256, views=("detail",), resample="bilinear", detail_short_side=96),
}
SIZES = [
    *((321, 320), (320, 900), (1500, 1100), (900, 1400), (40, 1500), (2000, 90), (320, 320), (16, 16), (17, 400)),
    (1301, 1283),  # halved for the whole view alone where the shipped spec is, else halved for both and then on
]


def write_pixels(folder: Path) -> None:
    """For each spec a folder with a manifest, and photos as Pillow decodes them: R, G, B, the size in the name."""
    wall = open_photo(WALL)
    photos = [wall, *(wall.resize(size) for size in SIZES)]
    for name, spec in SPECS.items():
        (folder / name).mkdir(parents=True)
        manifest = {**json.loads((DEFAULT_BUNDLE / "manifest.json").read_text()), "input": spec.to_dict()}
        (folder / name / "manifest.json").write_text(json.dumps(manifest))
        for number, photo in enumerate([*photos, *map(open_photo, golden_photos() if name == "shipped" else ())]):
            (folder / name / f"{number:02}.{photo.width}x{photo.height}").write_bytes(photo.tobytes())


def written_photos(folder: Path, name: str) -> list[Path]:
    """What ``write_pixels`` wrote for the spec of that name."""
    photos = sorted(path for path in (folder / name).iterdir() if path.suffix[1:].replace("x", "").isdecimal())
    assert len(photos) == 1 + len(SIZES) + (len(golden_photos()) if name == "shipped" else 0)
    return photos


def size_of(photo: Path) -> tuple[int, int]:
    """Width and height, from the name."""
    width, height = map(int, photo.suffix[1:].split("x"))
    return width, height


def tensor_hash(photo: Path, name: str) -> str:
    """The sha256 of Pillow's tensor, as little-endian float32."""
    tensor = preprocess(Image.frombytes("RGB", size_of(photo), photo.read_bytes()), SPECS[name])
    return hashlib.sha256(tensor.astype("<f4").tobytes()).hexdigest()
