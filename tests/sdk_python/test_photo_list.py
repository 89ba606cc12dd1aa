"""Folders stand for the photos in them, everything else for itself."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from pocketiqa.photo_list import find_photos


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
    assert skipped == 1


def test_recursion_descends_but_not_into_hidden_folders(folder: Path) -> None:
    photos, _ = find_photos([str(folder)], recursive=True)
    assert names(folder, photos) == ["a.png", "b.JPG", "bare", "deep/c.webp", "deep/deeper/d.jpg"]


def test_a_link_that_leads_back_up_is_no_endless_walk(folder: Path) -> None:
    (folder / "deep" / "loop").symlink_to(folder)
    photos, _ = find_photos([str(folder)], recursive=True)
    assert len(photos) == 5


def test_named_paths_are_kept_as_given_existing_or_not(folder: Path) -> None:
    given = ["missing.jpg", str(folder / "notes.txt")]
    assert find_photos(given, recursive=False) == (given, 0)


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
