"""Outputs are whole or absent, and no name leads out of a bundle."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pocketiqa.errors import BundleError, one_line
from pocketiqa.files import atomic_directory, atomic_file, checked_relative, confined


def fill(folder: Path, word: str) -> None:
    (folder / "a").write_text(word)
    (folder / "b").write_text(word)


def content(folder: Path) -> set[str]:
    return {path.read_text() for path in folder.iterdir()}


def test_a_folder_takes_the_place_of_an_older_one_whole(tmp_path: Path) -> None:
    for word in ("old", "new"):
        with atomic_directory(tmp_path / "bundle") as fresh:
            fill(fresh, word)
        assert content(tmp_path / "bundle") == {word}
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_block_that_fails_leaves_the_older_folder(tmp_path: Path) -> None:
    with atomic_directory(tmp_path / "bundle") as fresh:
        fill(fresh, "old")
    with pytest.raises(KeyboardInterrupt), atomic_directory(tmp_path / "bundle") as fresh:
        (fresh / "a").write_text("half")
        raise KeyboardInterrupt
    assert content(tmp_path / "bundle") == {"old"}
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_move_that_fails_brings_the_older_folder_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with atomic_directory(tmp_path / "bundle") as fresh:
        fill(fresh, "old")
    replace, moves = os.replace, []

    def failing(source: Path, target: Path) -> None:
        moves.append(source)
        if len(moves) == 2:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr("os.replace", failing)
    with pytest.raises(OSError, match="No space"), atomic_directory(tmp_path / "bundle") as fresh:
        fill(fresh, "new")
    assert content(tmp_path / "bundle") == {"old"}


def replace_until(fatal: int, folder: Path, word: str) -> None:
    """Write a folder in a child that is killed at its ``fatal``-th move."""
    if child := os.fork():
        os.waitpid(child, 0)
        return
    moves, replace = [], os.replace

    def counted(*names: object) -> None:
        moves.append(names)
        if len(moves) == fatal:
            os._exit(9)
        replace(*names)

    os.replace = counted
    with atomic_directory(folder) as fresh:
        fill(fresh, word)
    os._exit(0)


@pytest.mark.parametrize(("fatal", "kept"), [(1, "old"), (2, "old"), (3, "new")])
def test_a_process_killed_at_any_moment_leaves_one_folder_whole(tmp_path: Path, fatal: int, kept: str) -> None:
    with atomic_directory(tmp_path / "bundle") as fresh:
        fill(fresh, "old")
    replace_until(fatal, tmp_path / "bundle", "new")
    # Between the two moves nothing stands under the name, and the older folder beside it.
    (aside,) = [tmp_path / "bundle"] if fatal != 2 else tmp_path.glob(".bundle.*.partial/old")
    assert content(aside) == {kept}
    assert (tmp_path / "bundle").exists() == (fatal != 2)


def test_a_file_of_the_longest_name_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    with atomic_file(path, "wb") as file:
        file.write(b"\0\1")
    assert path.read_bytes() == b"\0\1"


@pytest.mark.parametrize(
    "name",
    ["", "/etc/passwd", "..", "a/../b", "a//b", "./a", "a\\b", "c:d", "a\nb", "a\0b", "\ud800", "x" * 241, "ü" * 121,
     "a/", None, 3, ["a"]],
)  # fmt: skip
def test_a_name_that_may_lead_elsewhere_or_nowhere_is_refused(name: object) -> None:
    with pytest.raises(BundleError, match="not allowed") as caught:
        checked_relative(name)
    assert len(str(caught.value)) < 300


def test_a_loop_of_links_leads_nowhere_and_raises_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert not confined(tmp_path, "a").exists()


def test_a_line_is_one_line_and_has_an_end() -> None:
    assert one_line("a\nb\t\x1b[31mc\ud800") == "a b ?[31mc?"
    assert len(one_line("x" * 10**6)) == 1001
    assert one_line(ValueError()) == "ValueError"
