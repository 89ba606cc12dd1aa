"""What the page holds of one photo: a row of ``pocketiqa.outputs.row_of``, a thumbnail and the map."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from pocketiqa.errors import PhotoError, PocketiqaError, one_line
from pocketiqa.gate import Gate
from pocketiqa.glance import small_copy
from pocketiqa.outputs import Row, row_of
from pocketiqa.scorer import Result

# Bytes of a WebP file. Base64 makes 5.2 kB of them, which leaves 0.8 kB for the rest of a photo's 6 kB in the page.
MOST_BYTES = 3900
_SIDE = 192
_QUALITIES = (60, 40, 20, 5)


def report_row(result: Result, attributes: Sequence[str], gate: Gate | None = None) -> Row:
    """The row of one photo: what ``row_of`` has, ``thumbnail`` (WebP, base64), ``map`` (rows of integers 0 to 100) and
    ``explanation`` (which part of the photo took most from the score); with a gate ``decision`` (``accepted`` or
    ``refused``) and ``reasons``.

    A photo that could not be scored has None for each; one without a map, a thumbnail alone.
    """
    row = row_of(result, attributes)
    if gate is not None:
        row |= {"decision": None, "reasons": None}
    if result.error is None:
        try:
            thumbnail = base64.b64encode(thumbnail_of(small_copy(result.path, _SIDE))).decode()
            if gate is not None:
                decision = gate.decide(result)
                row["decision"] = "accepted" if decision.accepted else "refused"
                row["reasons"] = "; ".join(map(str, decision.reasons)) or None
            return {**row, "thumbnail": thumbnail, "map": _whole_numbers(result.map), "explanation": _explained(result)}
        except PhotoError as error:  # changed since it was scored
            row = {**row, "score": None, **dict.fromkeys(attributes), "error": one_line(error)}
    return {**row, "thumbnail": None, "map": None, "explanation": None}


def thumbnail_of(copy: Image.Image) -> bytes:
    """A small RGB image as WebP of at most ``MOST_BYTES``, as good as that allows."""
    while True:
        for quality in _QUALITIES:
            encoded = io.BytesIO()
            copy.save(encoded, "WEBP", quality=quality)
            if encoded.tell() <= MOST_BYTES:
                return encoded.getvalue()
        copy = copy.reduce(2)


def _whole_numbers(map_: np.ndarray | None) -> list[Any] | None:
    return None if map_ is None else (map_ * 100).round().astype(int).tolist()


def _explained(result: Result) -> str | None:
    try:
        return str(result.explain())
    except PocketiqaError:  # a network without a map, or whose map is made of something else
        return None
