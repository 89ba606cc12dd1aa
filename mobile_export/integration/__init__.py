"""Kotlin and Swift files that load a bundle in an app, preprocess to its spec, score, and check the golden photos.

Their constants are generated from a manifest, so that they cannot drift from it: every bundle gets its own copies,
and the committed ones hold the shipped student's. ``python -m mobile_export integration`` renews those.
"""

from __future__ import annotations

import json
from pathlib import Path

from pocketiqa.manifest import Manifest
from pocketiqa.preprocess import PreprocessSpec
from pocketiqa.promises import GOLDEN

FOLDER = Path(__file__).parent
# What needs no phone is in files of its own, with the constants, so that it runs here too.
PREPROCESSING = ("Preprocessing.kt", "Preprocessing.swift")
FILES = ("PocketIqa.kt", "PocketIqa.swift", *PREPROCESSING)
_BEGIN, _END = "// constants: ", "// end of constants"
# Pillow's bicubic kernel; the other filters that a manifest may name are not written in these files.
_CUBIC_A = -0.5


def refusal(spec: PreprocessSpec) -> str:
    """Why these files cannot make an input; '' where they can. They have every view, and one filter."""
    if spec.resample == "bicubic":
        return ""
    return f"they resize bicubically, and this network's input is resized by {spec.resample}"


def constants(manifest: Manifest, language: str) -> list[str]:
    """The lines between the two marks, for ``kt`` or ``swift``.

    Raises:
        ValueError: the manifest's input is one that these files do not implement.
    """
    spec = manifest.input
    if why := refusal(spec):
        raise ValueError(f"no files for apps: {why}")
    views, attributes = (json.dumps(list(names)) for names in (spec.views, manifest.attribute_names))
    if language == "swift":
        values = {
            "height": spec.height,
            "width": spec.width,
            "views: [String]": views,
            "detailShortSide": float(spec.detail_short_side),
            "cubicA": _CUBIC_A,
            "attributes: [String]": attributes,
            "goldenBound": GOLDEN["int8"],
        }
        return [f"let {name} = {value}" for name, value in values.items()]
    values = {
        "HEIGHT": spec.height,
        "WIDTH": spec.width,
        "DETAIL_SHORT_SIDE": float(spec.detail_short_side),
        "CUBIC_A": _CUBIC_A,
        "GOLDEN_BOUND": GOLDEN["int8"],
    }
    lists = {"VIEWS": views, "ATTRIBUTES": attributes}
    return [
        *(f"const val {name} = {value}" for name, value in values.items()),
        *(f"val {name} = listOf<String>({names[1:-1]})" for name, names in lists.items()),
    ]


def with_constants(text: str, manifest: Manifest, language: str) -> str:
    """A file's text with the lines between the marks made anew."""
    lines = text.splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith(_BEGIN))
    end = lines.index(_END)
    return "\n".join([*lines[: begin + 1], *constants(manifest, language), *lines[end:]]) + "\n"


def write_integration(manifest: Manifest, root: Path) -> list[str]:
    """Write the files with the manifest's constants to ``root/integration``; their names relative to ``root``."""
    (root / "integration").mkdir(exist_ok=True)
    for file in FILES:
        text = (FOLDER / file).read_text()
        if file in PREPROCESSING:
            text = with_constants(text, manifest, file.rpartition(".")[2])
        (root / "integration" / file).write_text(text)
    return [f"integration/{file}" for file in FILES]
