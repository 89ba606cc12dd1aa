"""The encodings of the experiment are what they say, and each photo is read as the pixels that it stands for."""

from __future__ import annotations

import numpy as np
import pytest
from pocketiqa.errors import PhotoError
from pocketiqa.photo import read_photo

from benchmarks.experiments.encodings import colours
from benchmarks.experiments.encodings.__main__ import table
from benchmarks.experiments.encodings.encoders import ENCODERS

REFUSED = {
    "JPEG, last 30 % zero", "JPEG, 12 bits", "TIFF, white is zero, 16 bits", "TIFF, float", "JPEG XL", "JPEG XR",
}  # fmt: skip
WARNED = {"JPEG, cut at 97 %", "PNG, PQ", "AVIF, PQ", "AVIF, 10 bits"}


@pytest.mark.parametrize("name", list(ENCODERS))
def test_a_photo_in_each_encoding_is_its_own_8_bit_form(photos: dict[str, np.ndarray], name: str) -> None:
    encoded, reference = ENCODERS[name](np.ascontiguousarray(photos["coffee"][:160, 60:300]))
    if name in REFUSED:
        with pytest.raises(PhotoError):
            read_photo(encoded)
        return
    picture = read_photo(encoded)
    assert (picture.warning is not None) == (name in WARNED)
    if reference is not None and name not in WARNED:
        assert np.abs(np.asarray(picture.rgb).astype(int) - reference).mean() < 0.7


@pytest.mark.parametrize("space", [colours.DISPLAY_P3, colours.ADOBE_RGB, colours.LINEAR, colours.GAMMA_18])
def test_a_space_shows_what_was_stored(photos: dict[str, np.ndarray], space: colours.Space) -> None:
    rgb = photos["coffee"]
    values = colours.stored(rgb, space)
    assert np.abs(values.astype(int) - rgb).mean() > 2
    assert np.abs(colours.shown(values, space).astype(int) - rgb).mean() < 2.5


def test_the_table_tells_scores_warnings_and_refusals_apart() -> None:
    rows = [["a.jpg", "0.0300", *["0.0000"] * (len(ENCODERS) - 2), "refused"],
            ["b.jpg", "-0.0100w", *["-0.0010"] * (len(ENCODERS) - 2), "refused"]]  # fmt: skip
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table(rows).splitlines()]
    names = list(ENCODERS)
    assert lines[2] == [names[0], "1", "1", "0", "0.0300", "0.0300", "1"]
    assert lines[3] == [names[1], "2", "0", "0", "0.0005", "0.0010", "0"]
    assert lines[-1] == [names[-1], "0", "0", "2", "", "", "0"]
