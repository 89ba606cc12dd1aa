"""The contact sheet: every kind at every level, and mistakes answered in one line."""

from itertools import pairwise

import pytest
import skimage.data
from PIL import Image, ImageChops

from distill.degradations.contact_sheet import GAP, HEADING, contact_sheet, main

TILE = 128


def test_a_sheet_has_24_rows_of_six_pictures_that_all_differ_from_their_neighbour() -> None:
    sheet = contact_sheet(Image.fromarray(skimage.data.astronaut()), tile=TILE, seed=0)
    assert sheet.size == (6 * (TILE + GAP) + GAP, 24 * (HEADING + TILE + GAP))
    for row in range(24):
        top = row * (HEADING + TILE + GAP) + HEADING
        lefts = range(GAP, sheet.width, TILE + GAP)
        pictures = [sheet.crop((left, top, left + TILE, top + TILE)) for left in lefts]
        for earlier, later in pairwise(pictures):
            assert ImageChops.difference(earlier, later).getbbox() is not None, row


def test_the_command_writes_a_png_and_nothing_beside_it(tmp_path, capsys) -> None:
    photo, out = tmp_path / "photo.png", tmp_path / "sheet.png"
    Image.fromarray(skimage.data.astronaut()).save(photo)
    main(photo, out, tile=32)
    assert Image.open(out).format == "PNG"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.png", "sheet.png"]
    assert "24 kinds, 5 levels" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("photo", "out", "tile", "told"),
    (
        ("none.png", "sheet.png", 64, "none.png"),
        ("photo.png", "sheet.jpg", 64, "sheet.jpg"),
        ("photo.png", "sheet.png", 16, "--tile 16"),
        ("photo.png", "nowhere/sheet.png", 32, "nowhere"),
    ),
)
def test_a_mistake_is_one_line_and_exit_code_two(photo, out, tile, told, tmp_path, capsys) -> None:
    Image.fromarray(skimage.data.astronaut()).save(tmp_path / "photo.png")
    with pytest.raises(SystemExit) as caught:
        main(tmp_path / photo, tmp_path / out, tile=tile)
    assert caught.value.code == 2
    message = capsys.readouterr().err
    assert told in message
    assert message.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]
