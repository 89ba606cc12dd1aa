"""What code for apps must know and no manifest says, from the Python sources; each language renders it.

A manifest says how its network is fed. What all networks have in common (the schema, the limits of a photo, the bounds)
is written into the apps' code, as constants that are made anew from here.
"""

from __future__ import annotations

import json

from pocketiqa import gate
from pocketiqa.manifest import MAX_FILE_BYTES, MAX_MANIFEST_BYTES, SCHEMA_VERSION
from pocketiqa.photo import PhotoLimits
from pocketiqa.preprocess import REDUCTIONS, VIEWS, PreprocessSpec
from pocketiqa.promises import CLEAR_DIFFERENCE, GOLDEN

# A number, words, or numbers and words by name.
Constant = float | int | list[str] | dict[str, str] | dict[str, float]

# Fields of the input spec that have one value in this version.
_FIXED = ("antialias", "rounding", "colour_order", "layout")


def contract() -> list[tuple[str, Constant, str]]:
    """Name, value and meaning of each constant."""
    limits, spec = PhotoLimits(), PreprocessSpec(height=1, width=1).to_dict()
    fixed = {name: str(spec[name]).lower() if spec[name] is True else spec[name] for name in _FIXED}
    return [
        ("SCHEMA_VERSION", SCHEMA_VERSION, "what manifest.json has, at most"),
        ("GATE_SCHEMA_VERSION", gate.SCHEMA_VERSION, "what a gate's file has"),
        ("GATE_WORDS", dict(gate.WORDS), "what a photo is whose value is too low, where a gate's file does not say"),
        ("MAX_MANIFEST_BYTES", MAX_MANIFEST_BYTES, "of manifest.json, at most"),
        ("MAX_FILE_BYTES", MAX_FILE_BYTES, "of any other file of a bundle, at most"),
        ("MIN_SIDE", limits.min_side, "a photo's shortest side in pixels, at least"),
        ("MAX_PIXELS", limits.max_pixels, "a photo's width × height, at most"),
        ("VIEWS", list(VIEWS), "what an input may have"),
        ("REDUCTIONS", list(REDUCTIONS), "how an input may reduce a large photo before"),
        ("FIXED_INPUT", fixed, "fields of an input that have one value, as text"),
        ("CUBIC_A", -0.5, "Pillow's bicubic kernel"),
        ("WEIGHT_BITS", 22, "Pillow's fixed point for sums of 8-bit pixels"),
        ("GOLDEN_BOUND", dict(GOLDEN), "the largest difference of any output on golden photos, by variant"),
        ("CLEAR_DIFFERENCE", CLEAR_DIFFERENCE, "scores further apart are no tie to a viewer"),
    ]


def literal(value: Constant | str, listed: str, mapped: str, pair: str) -> str:
    """A constant as a language writes it.

    Args:
        value: of ``contract``.
        listed, mapped: formats of a list and of a dictionary, with ``{}`` where the entries stand.
        pair: the format of a dictionary's entry, with ``{}`` for its key and for its value.
    """
    if isinstance(value, list):
        return listed.format(", ".join(literal(entry, listed, mapped, pair) for entry in value))
    if isinstance(value, dict):
        entries = [[literal(part, listed, mapped, pair) for part in entry] for entry in value.items()]
        return mapped.format(", ".join(pair.format(*entry) for entry in entries))
    return json.dumps(value, allow_nan=False)
