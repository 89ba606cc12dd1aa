"""A sheet of every degradation at every level, for a person to look at.

python -m distill.degradations.contact_sheet PHOTO OUT.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
import tyro
from PIL import Image, ImageDraw, ImageFont, ImageOps
from pocketiqa.errors import PhotoError
from pocketiqa.files import atomic_file
from pocketiqa.preprocess import open_photo

from distill.degradations.degrade import DEGRADATIONS, LEVELS, degrade

GAP = 6
HEADING = 30
FONT_SIZE = 19


def contact_sheet(photo: Image.Image, tile: int, seed: int) -> Image.Image:
    """Draw one row for each kind: the clean photo, then levels 1 to 5.

    The photo is cropped centrally to a square and resized to the tile before it is degraded, so that
    every pixel of the sheet is one that the degradation produced.

    Args:
        photo: RGB, any size.
        tile: side of one picture in pixels, at least 32.
        seed: of the random kinds.

    Returns:
        RGB image of 24 rows × 6 columns, each picture under its label.

    Raises:
        ValueError: the tile is smaller than `degrade` accepts.
    """
    clean = ImageOps.fit(photo, (tile, tile), Image.Resampling.LANCZOS)
    images = torch.from_numpy(np.array(clean)).permute(2, 0, 1)[None].float() / 255
    columns = 1 + len(LEVELS)
    row_height = HEADING + tile + GAP
    sheet = Image.new("RGB", (columns * (tile + GAP) + GAP, len(DEGRADATIONS) * row_height), "white")
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(FONT_SIZE)
    for row, (kind, degradation) in enumerate(DEGRADATIONS.items()):
        top = row * row_height
        pictures = [clean]
        labels = [kind]
        for level, value in zip(LEVELS, degradation.levels):
            degraded = degrade(images, kind, level, seed)[0]
            pictures.append(Image.fromarray((degraded * 255).round().byte().permute(1, 2, 0).numpy()))
            labels.append(f"{level}: {degradation.parameter} {value:g}")
        for column, (picture, label) in enumerate(zip(pictures, labels)):
            left = GAP + column * (tile + GAP)
            pen.text((left, top + 4), label, fill="black", font=font)
            sheet.paste(picture, (left, top + HEADING))
    return sheet


def main(photo: tyro.conf.Positional[Path], out: tyro.conf.Positional[Path], tile: int = 288, seed: int = 0) -> None:
    """Draw all 24 degradations at their five levels.

    Args:
        photo: a photo in any format that pocketiqa reads.
        out: the sheet, a PNG.
        tile: side of one picture in pixels.
        seed: of the random kinds.
    """
    if out.suffix.lower() != ".png":
        sys.exit(_misuse(f"the sheet is a PNG, not {out.name!r}; give a name that ends in .png"))
    try:
        sheet = contact_sheet(open_photo(photo), tile, seed)
    except PhotoError as error:
        sys.exit(_misuse(f"{photo}: {error}"))
    except ValueError as error:
        sys.exit(_misuse(f"--tile {tile}: {error}"))
    try:
        with atomic_file(out, "wb") as stream:
            sheet.save(stream, format="PNG")
    except OSError as error:
        sys.exit(_misuse(f"cannot write {out}: {error.strerror}; choose another place"))
    print(f"{out}: {len(DEGRADATIONS)} kinds, {len(LEVELS)} levels, {sheet.width}×{sheet.height} pixels")


def _misuse(message: str) -> int:
    print(f"contact_sheet: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    tyro.cli(main)
