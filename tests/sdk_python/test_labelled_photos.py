"""Photos with labels, from folders or a table, and what is wrong with them in words."""

from __future__ import annotations

from pathlib import Path

import pytest
from pocketiqa.errors import PocketiqaError
from pocketiqa.labelled_photos import photos_in_folders, read_labels


def album(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_folders_give_their_photos_labels_at_any_depth(tmp_path: Path) -> None:
    album(tmp_path, "good/a.jpg", "good/deep/b.png", "good/notes.txt", "bad/c.jpg")
    found = photos_in_folders([str(tmp_path / "good")], [str(tmp_path / "bad")])
    assert {Path(path).name: label for path, label in found.items()} == {"a.jpg": True, "b.png": True, "c.jpg": False}


def test_a_folder_without_photos_is_named(tmp_path: Path) -> None:
    album(tmp_path, "good/a.jpg", "bad/notes.txt")
    with pytest.raises(PocketiqaError, match="bad: no photos there"):
        photos_in_folders([str(tmp_path / "good")], [str(tmp_path / "bad")])


def test_a_photo_that_is_accepted_and_refused_is_named(tmp_path: Path) -> None:
    album(tmp_path, "both/a.jpg")
    with pytest.raises(PocketiqaError, match="is both accepted and refused"):
        photos_in_folders([str(tmp_path / "both")], [str(tmp_path / "both")])


def test_a_tables_paths_are_relative_to_its_folder_and_other_columns_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("\ufefflabel,path,who\naccepted,sub/a.jpg,x\nrefused,/b.jpg,y\n")
    assert read_labels(str(tmp_path / "labels.csv")) == {str(tmp_path / "sub/a.jpg"): True, "/b.jpg": False}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "needs a first line"),
        ("path,score\na.jpg,1\n", "needs a first line"),
        ("path,label\n", "names no photos"),
        ("path,label\na.jpg,good\n", "line 2: found 'a.jpg' with the label 'good'"),
        ("path,label\na.jpg\n", "line 2"),
        ("path,label\n,accepted\n", "line 2"),
        ("path,label\na.jpg,accepted\na.jpg,refused\n", "both"),
    ],
)
def test_what_is_wrong_with_a_table_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(PocketiqaError, match=said):
        read_labels(str(tmp_path / "labels.csv"))


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PocketiqaError, match="cannot be read"):
        read_labels(str(tmp_path / "nowhere.csv"))
