"""Your own folder of photos with scores.csv."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from distill.data.mos_sets import MosSetError, read_own_photos, read_scored_photos


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("one.jpg", "two.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    (tmp_path / "scores.csv").write_text("name,score,source,split\none.jpg,0.7,phone,\ntwo.png,0.2,,test\n")
    return tmp_path


def test_scores_sources_and_splits_come_from_the_table(folder: Path) -> None:
    train, test = read_own_photos(folder), read_own_photos(folder, "test")
    assert train.mos.tolist() == [0.7] and train.sources.tolist() == ["phone"]
    assert [path.name for path in test.paths] == ["two.png"] and test.sources.tolist() == ["own"]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (None, "name,score"),
        ("photo,mos\none.jpg,1", "columns name and score"),
        ("name,score\none.jpg,3.5", r"line 2.*\(score - 1\) / 4"),
        ("name,score\none.jpg,nan", "line 2"),
        ("name,score\nthree.jpg,0.5", "no photo 'three.jpg'"),
        ("name,score,split\none.jpg,0.5,test", "train split"),
        ("name,score,split\none.jpg,0.5,tset", "line 2: split is 'tset'; give train, val or test"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(folder: Path, table: str | None, said: str) -> None:
    (folder / "scores.csv").unlink()
    if table is not None:
        (folder / "scores.csv").write_text(table)
    with pytest.raises(MosSetError, match=said):
        read_own_photos(folder)


def test_a_table_anywhere_on_any_scale_in_pyiqas_words_gives_the_same_photos(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "opinions.csv"
    table.write_text("img_name,mos\none.jpg,2\ntwo.png,5\n")
    read = read_scored_photos(folder, table, scale=(1, 5))
    assert [path.name for path in read.paths] == ["one.jpg", "two.png"] and read.mos.tolist() == [0.25, 1.0]
    assert read_scored_photos(folder, table, scale=(5, 1)).mos.tolist() == [0.75, 0.0], "a lower score may be better"


@pytest.mark.parametrize(
    ("scale", "said"),
    [
        ((1, 4), "from 1 .bad. to 4"),
        ((3, 5), "from 3 .bad. to 5"),
        ((5, 5), "the scale is 5 to 5"),
        ((0, float("inf")), "the scale is 0 to inf"),
    ],
)
def test_a_score_beyond_the_scale_and_a_scale_without_width_are_refused(
    folder: Path, tmp_path: Path, scale: tuple[float, float], said: str
) -> None:
    table = tmp_path / "opinions.csv"
    table.write_text("name,score\none.jpg,2\ntwo.png,5\n")
    with pytest.raises(MosSetError, match=said):
        read_scored_photos(folder, table, scale=scale)


def test_a_table_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(MosSetError, match=r"no table of scores .*none\.csv"):
        read_scored_photos(folder, folder / "none.csv")


def test_excels_table_with_semicolons_decimal_commas_and_its_own_letters_is_read(folder: Path) -> None:
    (folder / "one.jpg").rename(folder / "süß.jpg")
    (folder / "scores.csv").write_bytes("Name;Score;Split\r\nsüß.jpg;0,7;Training\r\n".encode("cp1252"))
    assert read_own_photos(folder).mos.tolist() == [0.7]
    (folder / "scores.csv").write_bytes("Name;Score\r\nœuf.jpg;0,7\r\n".encode("iso8859-15"))
    with pytest.raises(MosSetError, match=r"line 2: there is no photo .* save it as CSV UTF-8"):
        read_own_photos(folder)
