"""Swift files for apps: their constants are a manifest's, so every bundle gets its own copies.

The committed ones hold the shipped student's.
"""

from __future__ import annotations

import json
from pathlib import Path

from pocketiqa.manifest import Manifest
from pocketiqa.preprocess import PreprocessSpec
from pocketiqa.promises import GOLDEN

FOLDER = Path(__file__).parent
# What needs no phone is in a file of its own, with the constants.
PREPROCESSING = "Preprocessing.swift"
FILES = ("PocketIqa.swift", PREPROCESSING)
_BEGIN, _END = "// constants: ", "// end of constants"
# Pillow's bicubic kernel; the other filters that a manifest may name are not written in these files.
_CUBIC_A = -0.5


def refusal(spec: PreprocessSpec) -> str:
    """Why the Swift files cannot make an input; '' where they can. They have every view, and one filter."""
    if spec.resample == "bicubic":
        return ""
    return f"they resize bicubically, and this network's input is resized by {spec.resample}"


def constants(manifest: Manifest) -> list[str]:
    """The lines between the two marks.

    Raises:
        ValueError: the manifest's input is one that these files do not implement.
    """
    spec = manifest.input
    if why := refusal(spec):
        raise ValueError(f"no Swift files: {why}")
    values = {
        "height": spec.height,
        "width": spec.width,
        "views: [String]": json.dumps(list(spec.views), allow_nan=False),
        "detailShortSide": float(spec.detail_short_side),
        "cubicA": _CUBIC_A,
        "attributes: [String]": json.dumps(list(manifest.attribute_names), allow_nan=False),
        "goldenBound": GOLDEN["int8"],
    }
    return [f"let {name} = {value}" for name, value in values.items()]


def with_constants(text: str, manifest: Manifest) -> str:
    """A file's text with the lines between the marks made anew."""
    lines = text.splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith(_BEGIN))
    end = lines.index(_END)
    return "\n".join([*lines[: begin + 1], *constants(manifest), *lines[end:]]) + "\n"


def swift_files(manifest: Manifest) -> dict[str, str]:
    """Text by name; none where the manifest's input is one that they do not implement."""
    if refusal(manifest.input):
        return {}
    texts = {name: (FOLDER / name).read_text() for name in FILES}
    return texts | {PREPROCESSING: with_constants(texts[PREPROCESSING], manifest)}
