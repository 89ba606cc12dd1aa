"""Shots of one scene: what is grouped, which is the best, and what is written beside and copied."""

from __future__ import annotations

import csv
import json
import os
from datetime import datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageFilter
from pocketiqa.best_shot import Shot, compared, ranked, with_choices
from pocketiqa.cli import main
from pocketiqa.glance import HASH_BITS, Glance, glance_at, small_copy
from pocketiqa.new_files import copy_new, write_new
from pocketiqa.shot_groups import ALIKE, ALIKE_IN_A_BURST, group_shots
from pocketiqa.sidecar import STYLES, sidecar_of, write_sidecar

NOON = datetime(2026, 11, 27, 12)


def save(image: Image.Image, path: Path, taken: datetime | None = None, **exif_values: object) -> str:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 1
    if taken is not None:
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = taken.strftime("%Y:%m:%d %H:%M:%S")
        if taken.microsecond:
            exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.SubsecTimeOriginal] = f"{taken.microsecond:06}"
    image.save(path, exif=exif, **exif_values)
    return str(path)


@pytest.fixture
def shots(tmp_path: Path, photos: dict[str, np.ndarray]) -> Path:
    """A burst of coffee, sharp, blurred and dark, a cat that stands alone, and a file that is no photo."""
    folder = tmp_path / "shots"
    folder.mkdir()
    coffee = Image.fromarray(photos["coffee"])
    save(coffee.filter(ImageFilter.GaussianBlur(4)), folder / "1-blurred.jpg", NOON)
    save(coffee, folder / "2-sharp.jpg", NOON + timedelta(seconds=0.5))
    save(coffee.point(lambda value: value // 6), folder / "3-dark.jpg", NOON + timedelta(seconds=1))
    save(Image.fromarray(photos["chelsea"]), folder / "4-cat.jpg", NOON + timedelta(seconds=2))
    (folder / "5-broken.jpg").write_text("no photo")
    return folder


def distance(one: Glance, two: Glance) -> int:
    return (one.hash ^ two.hash).bit_count()


# A glance


def test_copies_of_a_photo_are_alike_and_different_photos_are_not(tmp_path: Path, photos: dict) -> None:
    glances = {}
    for name, pixels in photos.items():
        image = Image.fromarray(pixels)
        glances[name] = glance_at(save(image, tmp_path / f"{name}.png"))
        half = image.resize((image.width // 2, image.height // 2))
        for copy in (save(half, tmp_path / "half.jpg", quality=40), save(image.convert("CMYK"), tmp_path / "cmyk.jpg")):
            assert distance(glances[name], glance_at(copy)) <= ALIKE / 3
    for name, other in ((one, two) for one in photos for two in photos if one < two):
        assert distance(glances[name], glances[other]) > ALIKE_IN_A_BURST


def test_a_photo_lying_on_its_side_is_looked_at_upright(tmp_path: Path, photos: dict) -> None:
    upright = Image.fromarray(photos["coffee"])
    lying = tmp_path / "lying.jpg"
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    upright.rotate(90, expand=True).save(lying, exif=exif)
    assert small_copy(str(lying), 100).size == small_copy(save(upright, tmp_path / "upright.jpg"), 100).size
    assert distance(glance_at(str(lying)), glance_at(str(tmp_path / "upright.jpg"))) <= ALIKE / 3


def test_the_time_is_exifs_with_its_fraction_of_a_second(tmp_path: Path, photos: dict) -> None:
    taken = NOON + timedelta(seconds=0.25)
    for suffix in ("jpg", "png", "webp"):
        assert glance_at(save(Image.fromarray(photos["coffee"]), tmp_path / f"x.{suffix}", taken)).taken == taken


@pytest.mark.parametrize("text", ["", "0000:00:00 00:00:00", "yesterday", "2026:13:45 99:00:00", "\udcff" * 3])
def test_a_time_that_is_none_is_no_time(tmp_path: Path, photos: dict, text: str) -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = text.encode(errors="surrogateescape")
    Image.fromarray(photos["coffee"]).save(tmp_path / "x.jpg", exif=exif)
    assert glance_at(str(tmp_path / "x.jpg")).taken is None


def test_a_dark_copy_has_fewer_tones(tmp_path: Path, photos: dict) -> None:
    for pixels in photos.values():
        bright, dark = (save(Image.fromarray(p), tmp_path / f"{p.max()}.png") for p in (pixels, pixels // 4))
        assert 0 <= glance_at(dark).tones < glance_at(bright).tones - 0.4 <= 6


# Groups


def glance(hash_: int, seconds: float | None = None) -> Glance:
    """Of a photo whose hash differs from another's as ``hash_`` does; half its bits are set, as most photos' are."""
    return Glance(hash_ ^ int("10" * 64, 2), 5.0, None if seconds is None else NOON + timedelta(seconds=seconds))


def ones(number: int) -> int:
    return (1 << number) - 1


def test_likeness_binds_at_any_time_and_a_burst_binds_what_is_less_alike() -> None:
    near, loose, far = ones(ALIKE), ones(ALIKE_IN_A_BURST), ones(ALIKE_IN_A_BURST + 1)
    assert group_shots([glance(0), glance(near)], 10) == [[0, 1]]
    assert group_shots([glance(0, 0), glance(near, 9e8)], 10) == [[0, 1]]
    assert group_shots([glance(0, 0), glance(loose, 10)], 10) == [[0, 1]]
    assert group_shots([glance(0, 0), glance(loose, 10.1)], 10) == [[0], [1]]
    assert group_shots([glance(0, 0), glance(loose)], 10) == [[0], [1]]
    assert group_shots([glance(0, 0), glance(far, 0)], 10) == [[0], [1]]
    assert group_shots([], 10) == []


def test_a_plain_surface_is_alike_to_no_photo_of_few_bits_and_to_another_plain_one() -> None:
    plain, few, others = Glance(0, 0.0, NOON), Glance(ones(20), 5.0, NOON), Glance(ones(20) << 20, 5.0, NOON)
    assert group_shots([few, plain, others, plain], 10) == [[0], [1, 3], [2]]
    assert group_shots([few, Glance(ones(12), 5.0, NOON)], 10) == [[0, 1]]


def test_a_pan_is_one_group_though_its_ends_differ() -> None:
    pan = [glance(ones(step * 20) << (128 - step * 20)) for step in range(7)]
    assert distance(pan[0], pan[-1]) > ALIKE and group_shots(pan, 10) == [[*range(7)]]


@given(st.lists(st.tuples(st.integers(0, 2**HASH_BITS - 1), st.none() | st.floats(0, 100)), max_size=12))
def test_groups_are_what_pairs_connect(drawn: list[tuple[int, float | None]]) -> None:
    glances = [glance(*one) for one in drawn] + [glance(hash_ ^ 5, seconds) for hash_, seconds in drawn[:4]]
    groups = group_shots(glances, 10)
    assert sorted(position for group in groups for position in group) == [*range(len(glances))]
    of = {position: number for number, group in enumerate(groups) for position in group}
    for one in range(len(glances)):
        pairs = [other for other in range(len(glances)) if other != one and together(glances[one], glances[other])]
        assert all(of[other] == of[one] for other in pairs)
        assert pairs or len(groups[of[one]]) == 1


def together(one: Glance, two: Glance) -> bool:
    in_time = one.taken and two.taken and abs((one.taken - two.taken).total_seconds()) <= 10
    differ, shared = distance(one, two), (one.hash & two.hash).bit_count()
    return differ <= (ALIKE_IN_A_BURST if in_time else ALIKE) and 2 * shared >= differ


# The best, and why


def shot(score: float, sharpness: float = 0.5, tones: float = 5, **others: float) -> Shot:
    return Shot(score, {"sharpness": sharpness, **others}, tones)


@pytest.mark.parametrize(
    ("one", "two", "words"),
    [
        (shot(0.8, 0.81), shot(0.4, 0.42), "sharper (0.81 against 0.42)"),
        (shot(0.4, 0.42), shot(0.8, 0.81), "less sharp (0.42 against 0.81)"),
        (shot(0.8, noise=0.9), shot(0.7, 0.6, noise=0.3), "cleaner (0.90 against 0.30)"),
        (shot(0.7, noise=0.3), shot(0.8, noise=0.9), "noisier (0.30 against 0.90)"),
        (shot(0.8, tones=6), shot(0.79, tones=4.5), "more tones (6.0 against 4.5 bits)"),
        (shot(0.79, tones=4.5), shot(0.8, tones=6), "fewer tones (4.5 against 6.0 bits)"),
        (shot(0.5, tones=5.3), shot(0.505, tones=5), "more tones (5.3 against 5.0 bits)"),
        (shot(0.8), shot(0.7), "higher score (0.80 against 0.70)"),
        (shot(0.7), shot(0.8), "lower score (0.70 against 0.80)"),
        (shot(0.8, bokeh=0.9), shot(0.7, bokeh=0.1), "more bokeh (0.90 against 0.10)"),
        (Shot(0.8, {}, 5), Shot(0.7, {}, 5), "higher score (0.80 against 0.70)"),
    ],
)
def test_why_names_the_attribute_that_differs_most(one: Shot, two: Shot, words: str) -> None:
    assert compared(one, two) == words


def test_the_best_is_sharper_cleaner_and_has_more_tones_where_the_scores_are_alike() -> None:
    good, bad = {"sharpness": 0.9, "noise": 0.95, "compression": 0.95}, {"exposure": 0.1, "colour": 0.1}
    for name in good:
        worse = Shot(0.705, {**good, name: 0.6}, 5)
        assert ranked([worse, Shot(0.7, good, 5)]) == [1, 0]
    assert ranked([Shot(0.705, good, 4), Shot(0.7, good, 5)]) == [1, 0]
    assert ranked([Shot(0.7, {**good, **bad}, 5), Shot(0.701, good, 5)]) == [1, 0]  # these the scene decides
    assert ranked([Shot(0.0, {}, 5), Shot(1.0, {}, 5), Shot(0.6, {}, 5)]) == [1, 2, 0]


def test_of_equals_the_earlier_is_the_best() -> None:
    assert ranked([shot(0.5), shot(0.6), shot(0.6), shot(0.6, tones=4.9)]) == [1, 2, 3, 0]


def test_rows_come_group_by_group_with_the_best_first_and_errors_last() -> None:
    scored = [("a", 0.3, 0), ("b", 0.9, ones(60)), ("c", 0.7, 1), ("d", 0.5, 3)]
    rows = [
        {"path": path, "score": score, "error": None, "tones": 5.0, "taken": None, "hash": f"{glance(hash_).hash:032x}"}
        for path, score, hash_ in scored
    ]
    rows.insert(1, {"path": "x", "score": None, "error": "broken", "tones": None, "taken": None, "hash": None})
    arranged = with_choices(rows, (), 10)
    assert [(row["path"], row["group"], row["choice"]) for row in arranged] == [
        ("c", 1, "best"), ("d", 1, "other"), ("a", 1, "other"), ("b", 2, "single"), ("x", None, None),
    ]  # fmt: skip
    assert arranged[0]["why"] == "higher score (0.70 against 0.50)" and arranged[3]["why"] is None
    assert arranged[2]["why"] == "lower score (0.30 against 0.70)"


# Files beside and elsewhere


@pytest.mark.parametrize(("style", "name"), [*zip(STYLES, ("IMG 1.jpg.xmp", "IMG 1.xmp"))])
def test_a_sidecar_is_xml_with_a_rating_and_never_overwrites(tmp_path: Path, style: str, name: str) -> None:
    path = sidecar_of(str(tmp_path / "IMG 1.jpg"), style)
    assert path == tmp_path / name
    assert write_sidecar(path, 5)
    (description,) = ElementTree.parse(path).getroot().iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description")
    assert description.get("{http://ns.adobe.com/xap/1.0/}Rating") == "5"
    before = path.read_bytes()
    assert not write_sidecar(path, 1) and path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("links", [True, False])
def test_a_copy_takes_a_free_name_and_the_same_file_is_copied_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:  # as on a camera's card
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(PermissionError(1, "no links here")))
    target = tmp_path / "target"
    target.mkdir()
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "IMG.jpg").write_text(folder)
    os.utime(tmp_path / "a" / "IMG.jpg", (1, 2))
    assert copy_new(tmp_path / "a" / "IMG.jpg", target) == target / "IMG.jpg"
    assert copy_new(tmp_path / "b" / "IMG.jpg", target) == target / "IMG-2.jpg"
    assert copy_new(tmp_path / "a" / "IMG.jpg", target) is copy_new(tmp_path / "b" / "IMG.jpg", target) is None
    assert {file.name: file.read_text() for file in target.iterdir()} == {"IMG.jpg": "a", "IMG-2.jpg": "b"}
    assert (target / "IMG.jpg").stat().st_mtime == 2
    with pytest.raises(FileExistsError):
        write_new(target / "IMG.jpg", "other")


# The command


def test_the_sharp_shot_of_a_burst_is_named_with_reasons(shots: Path, capsys: pytest.CaptureFixture) -> None:
    again = str(shots / ".." / "shots" / "2-sharp.jpg")
    assert main(["best", str(shots), again, "--format", "csv"]) == 1  # one file is no photo
    shown = capsys.readouterr()
    rows = {Path(row["path"]).name: row for row in csv.DictReader(shown.out.splitlines())}
    assert [*rows] == ["2-sharp.jpg", "3-dark.jpg", "1-blurred.jpg", "4-cat.jpg", "5-broken.jpg"]
    assert [row["choice"] for row in rows.values()] == ["best", "other", "other", "single", ""]
    assert rows["1-blurred.jpg"]["why"].startswith("less sharp (")
    assert rows["2-sharp.jpg"]["taken"] == "2026-11-27T12:00:00.500000"
    assert "no picture" in rows["5-broken.jpg"]["error"]
    assert "1 groups of 3 photos; 1 stand alone" in shown.err


def test_nothing_that_lies_there_is_changed(shots: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (shots / "1-blurred.jpg.xmp").write_text("mine")
    keep = tmp_path / "keep"
    keep.mkdir()
    (keep / "4-cat.jpg").write_text("another cat")
    before = {path: path.read_bytes() for path in [*shots.iterdir(), *keep.iterdir()]}
    for _ in range(2):
        main(["best", str(shots), "--xmp", "digikam", "--copy-to", str(keep)])
    assert {path: path.read_bytes() for path in before} == before
    added = sorted(str(path.relative_to(tmp_path)) for path in {*shots.iterdir(), *keep.iterdir()} - set(before))
    assert added == [
        "keep/2-sharp.jpg", "keep/4-cat-2.jpg", "shots/2-sharp.jpg.xmp", "shots/3-dark.jpg.xmp",
    ]  # fmt: skip
    assert 'xmp:Rating="5"' in (shots / "2-sharp.jpg.xmp").read_text()
    assert 'xmp:Rating="1"' in (shots / "3-dark.jpg.xmp").read_text()
    said = capsys.readouterr().err
    assert "2 sidecars written; 1 existed and stay as they are" in said and "2 were there" in said


def test_a_sidecar_that_cannot_be_written_keeps_back_no_other_and_no_copy(
    shots: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (shots / "5-broken.jpg").unlink()
    for name in ("0-" + "x" * 249 + ".jpg", "1-" + "x" * 249 + ".jpg"):  # with .xmp too long for a file system
        os.rename(shots / ("1-blurred.jpg" if name[0] == "0" else "3-dark.jpg"), shots / name)
    keep = tmp_path / "keep"
    keep.mkdir()
    assert main(["best", str(shots), "--xmp", "digikam", "--copy-to", str(keep)]) == 1
    assert (shots / "2-sharp.jpg.xmp").exists()
    assert sorted(path.name for path in keep.iterdir()) == ["2-sharp.jpg", "4-cat.jpg"]
    said = capsys.readouterr().err
    assert ".jpg.xmp: File name too long" in said and "not written either: 1 others" in said
    assert "1 sidecars written" in said and "2 photos copied" in said


def test_a_stopped_run_goes_on(
    shots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    output = tmp_path / "best.jsonl"
    call = ["best", str(shots), "--format", "jsonl", "-o", str(output)]
    assert main(call) == 1
    whole = output.read_text()
    assert [json.loads(line)["group"] for line in whole.splitlines()] == [1, 1, 1, 2, None]
    output.unlink()
    looked_at: list[str] = []

    def stopped(photo: str) -> Glance:
        looked_at.append(Path(photo).name)
        if photo.endswith("3-dark.jpg") and looked_at.count("3-dark.jpg") == 1:
            raise KeyboardInterrupt
        return glance_at(photo)

    monkeypatch.setattr("pocketiqa.commands.best.glance_at", stopped)
    assert main(call) == 130 and not output.exists()
    assert main([*call, "--resume"]) == 1
    assert output.read_text() == whole
    assert looked_at == ["1-blurred.jpg", "2-sharp.jpg", "3-dark.jpg", "3-dark.jpg", "4-cat.jpg"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--within=-1"], "no number of seconds"),
        (["--within", "soon"], "no number of seconds"),
        (["--xmp", "photo.xmp"], "invalid choice"),
    ],
)
def test_a_wrong_option_exits_2(shots: Path, options: list[str], words: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["best", str(shots), *options])
    assert caught.value.code == 2 and words in capsys.readouterr().err


def test_a_folder_to_copy_to_must_be_there(shots: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["best", str(shots), "--copy-to", str(tmp_path / "none")]) == 2
    assert "is no folder; make it first" in capsys.readouterr().err
