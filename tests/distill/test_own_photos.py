"""Your own folder of photos with scores.csv."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from distill.mos_sets import MosSetError, read_own_photos


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
    ],
)
def test_a_table_that_cannot_be_used_says_why(folder: Path, table: str | None, said: str) -> None:
    (folder / "scores.csv").unlink()
    if table is not None:
        (folder / "scores.csv").write_text(table)
    with pytest.raises(MosSetError, match=said):
        read_own_photos(folder)
