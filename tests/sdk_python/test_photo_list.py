"""Folders stand for the photos in them, everything else for itself."""

from __future__ import annotations

import io
import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from pocketiqa.errors import PocketiqaError
from pocketiqa.photo_list import LISTED, NO_PHOTO, find_photos, read_paths


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    (tmp_path / ".cache").mkdir()
    for name in (
        "b.JPG",
        "a.png",
        "bare",
        "notes.txt",
        ".hidden.jpg",
        "deep/c.webp",
        "deep/deeper/d.jpg",
        ".cache/e.jpg",
    ):
        (tmp_path / name).touch()
    return tmp_path


def names(folder: Path, photos: list[str]) -> list[str]:
    return [str(Path(photo).relative_to(folder)) for photo in photos]


def test_a_folder_gives_its_own_photos_and_counts_what_it_passes_over(folder: Path) -> None:
    photos, skipped = find_photos([str(folder)], recursive=False)
    assert names(folder, photos) == ["a.png", "b.JPG", "bare"]
    assert skipped == {NO_PHOTO: 1}


def test_recursion_descends_but_not_into_hidden_folders(folder: Path) -> None:
    photos, _ = find_photos([str(folder)], recursive=True)
    assert names(folder, photos) == ["a.png", "b.JPG", "bare", "deep/c.webp", "deep/deeper/d.jpg"]


def test_a_link_that_leads_back_up_is_no_endless_walk(folder: Path) -> None:
    (folder / "deep" / "loop").symlink_to(folder)
    photos, skipped = find_photos([str(folder)], recursive=True)
    assert len(photos) == 5 and skipped == {NO_PHOTO: 1, LISTED: 1}


def test_a_link_to_a_folder_elsewhere_is_followed_once_and_real_folders_come_first(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "e.jpg").touch()
    (other / "back").symlink_to(folder / "deep")
    for name in ("0", "9"):
        (folder / name).symlink_to(other)
    photos, skipped = find_photos([str(folder)], recursive=True)
    assert names(folder, photos) == ["a.png", "b.JPG", "bare", "deep/c.webp", "deep/deeper/d.jpg", "0/e.jpg"]
    assert skipped == {NO_PHOTO: 1, LISTED: 2}


def test_a_folder_that_is_named_twice_is_listed_twice(folder: Path) -> None:
    photos, skipped = find_photos([str(folder / "deep")] * 2, recursive=False)
    assert len(photos) == 2 and not skipped


@pytest.mark.parametrize(
    ("content", "nul", "paths"),
    [
        (b"a.jpg\nb c.jpg\n", False, ["a.jpg", "b c.jpg"]),
        (b"\xef\xbb\xbfa.jpg\r\n\r\nb.jpg", False, ["a.jpg", "b.jpg"]),
        (b"a\nb.jpg\0c.jpg\0", True, ["a\nb.jpg", "c.jpg"]),
        (b"latin-\xe9.jpg\n", False, [os.fsdecode(b"latin-\xe9.jpg")]),
        (b"", False, []),
    ],
)
def test_a_list_names_a_path_a_line_or_between_nuls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, nul: bool, paths: list[str]
) -> None:
    (tmp_path / "list").write_bytes(content)
    assert read_paths(str(tmp_path / "list"), nul) == paths
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert read_paths(None, nul) == paths


def test_a_list_that_cannot_be_read_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PocketiqaError, match="none cannot be read: No such file"):
        read_paths(str(tmp_path / "none"), nul=False)
    with pytest.raises(PocketiqaError, match="Is a directory"):
        read_paths(str(tmp_path), nul=False)
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(PocketiqaError, match="standard input is closed"):
        read_paths(None, nul=False)


def test_named_paths_are_kept_as_given_existing_or_not(folder: Path) -> None:
    given = ["missing.jpg", str(folder / "notes.txt")]
    assert find_photos(given, recursive=False) == (given, {})


def test_a_folder_that_cannot_be_listed_stands_among_the_photos(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listdir = os.listdir

    def refusing(path: str) -> list[str]:
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied", path)
        return listdir(path)

    monkeypatch.setattr("os.listdir", refusing)
    photos, _ = find_photos([str(folder)], recursive=True)
    assert names(folder, photos) == ["a.png", "b.JPG", "bare", "deep"]


def test_folders_a_thousand_deep_are_walked() -> None:
    # Python 3.11's own cleaning up recurses too, and fails.
    root, here = tempfile.mkdtemp(), os.getcwd()
    try:
        os.chdir(root)
        for _ in range(1200):
            os.mkdir("d")
            os.chdir("d")
        Path("photo.jpg").touch()
        os.chdir(here)
        photos, _ = find_photos([root], recursive=True)
        assert len(photos) == 1 and photos[0].endswith("d/photo.jpg")
    finally:
        os.chdir(here)
        subprocess.run(["rm", "-rf", root], check=True)
