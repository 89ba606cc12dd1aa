"""Rows outlive their run, and only rows of the same making are gone on with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pocketiqa.errors import PocketiqaError
from pocketiqa.interruption import Ended
from pocketiqa.journal import Journal, OutputError

SETTINGS = {"bundle": "a-1"}


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "scores.csv"


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    paths = [str(tmp_path / f"{i}.jpg") for i in range(4)]
    for path in paths:
        Path(path).write_bytes(b"photo")
    return paths


def row(photo: str, error: str | None = None) -> dict:
    return {"path": photo, "score": 0.1 + 0.2, "error": error}


def stopped_run(output: Path, photos: list[str], error: BaseException | None = None) -> BaseException:
    error = error or KeyboardInterrupt()
    with pytest.raises(type(error)) as caught, Journal(output, SETTINGS) as journal:
        for photo in photos:
            journal.append(photo, row(photo))
        raise error
    return caught.value


def test_rows_of_a_stopped_run_are_there_for_the_next(output: Path, photos: list[str]) -> None:
    stopped_run(output, photos[:3])
    with Journal(output, SETTINGS, resume=True) as journal:
        assert [journal.knows(photo) for photo in photos] == [True, True, True, False]
        assert [journal.row(photo) for photo in photos[:3]] == [row(photo) for photo in photos[:3]]
        journal.append(photos[3], row(photos[3]))
        assert journal.row(photos[3]) == row(photos[3]) and journal.row(photos[0]) == row(photos[0])
        journal.remove()
    assert not os.path.exists(f"{output}.partial")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Ended(15), Ended(1)])
def test_what_stops_a_run_tells_how_to_go_on(output: Path, photos: list[str], error: KeyboardInterrupt) -> None:
    words = str(stopped_run(output, photos, error))
    assert words == f"stopped; 4 rows are kept in {output}.partial: the same command with --resume goes on"


def test_a_run_that_made_no_row_leaves_nothing(output: Path) -> None:
    assert str(stopped_run(output, [])) == ""
    assert list(output.parent.iterdir()) == []


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_row_that_was_cut_is_dropped_and_the_others_stay(output: Path, photos: list[str], cut: int) -> None:
    stopped_run(output, photos)
    partial = Path(f"{output}.partial")
    partial.write_bytes(partial.read_bytes()[:-cut])
    with Journal(output, SETTINGS, resume=True) as journal:
        assert [journal.knows(photo) for photo in photos] == [True, True, True, False]
        journal.append(photos[3], row(photos[3]))
        assert [journal.row(photo) for photo in photos] == [row(photo) for photo in photos]


def test_bytes_that_never_reached_the_disk_end_the_rows(output: Path, photos: list[str]) -> None:
    stopped_run(output, photos)
    with open(f"{output}.partial", "ab") as file:
        file.write(b"\0" * 4096)
    with Journal(output, SETTINGS, resume=True) as journal:
        assert len(journal) == 4


def test_a_photo_that_changed_is_scored_anew(output: Path, photos: list[str]) -> None:
    stopped_run(output, photos)
    Path(photos[0]).write_bytes(b"longer")
    os.utime(photos[1], (1, 1))
    os.unlink(photos[2])
    with Journal(output, SETTINGS, resume=True) as journal:
        assert [journal.knows(photo) for photo in photos] == [False, False, False, True]


def test_a_photo_that_failed_is_tried_again(output: Path, photos: list[str]) -> None:
    with pytest.raises(KeyboardInterrupt), Journal(output, SETTINGS) as journal:
        journal.append(photos[0], row(photos[0], "no memory"))
        raise KeyboardInterrupt
    with Journal(output, SETTINGS, resume=True) as journal:
        assert not journal.knows(photos[0])
        journal.append(photos[0], row(photos[0]))
        assert journal.knows(photos[0]) and journal.row(photos[0])["error"] is None


def test_rows_are_never_lost_by_a_run_that_does_not_ask_for_them(output: Path, photos: list[str]) -> None:
    stopped_run(output, photos)
    before = Path(f"{output}.partial").read_bytes()
    with pytest.raises(PocketiqaError, match="holds 4 rows of an earlier run: --resume goes on"):
        Journal(output, SETTINGS)
    with pytest.raises(PocketiqaError, match=r"made with other settings.*a-1.*a-2"):
        Journal(output, {"bundle": "a-2"}, resume=True)
    assert Path(f"{output}.partial").read_bytes() == before


@pytest.mark.parametrize("left", [b"", b'{"settings": ', b'{"settings": {"bundle": "a-2"}}\n'])
def test_a_journal_without_rows_stops_nobody(output: Path, photos: list[str], left: bytes) -> None:
    Path(f"{output}.partial").write_bytes(left)
    with Journal(output, SETTINGS) as journal:
        journal.append(photos[0], row(photos[0]))
    with Journal(output, SETTINGS, resume=True) as journal:
        assert journal.knows(photos[0])


@pytest.mark.parametrize("foreign", [b"path,score\na.jpg,0.5\n", b"[1]\n[2]\n", b"{}\n{}\n", b"\x89PNG\r\n\x1a\n"])
def test_a_file_of_that_name_that_is_no_journal_is_not_touched(output: Path, foreign: bytes) -> None:
    Path(f"{output}.partial").write_bytes(foreign)
    for resume in (False, True):
        with pytest.raises(PocketiqaError, match="is no file of rows"):
            Journal(output, SETTINGS, resume=resume)
        assert Path(f"{output}.partial").read_bytes() == foreign


def test_two_runs_do_not_write_one_file(output: Path, photos: list[str]) -> None:
    pytest.importorskip("fcntl")
    with Journal(output, SETTINGS), pytest.raises(PocketiqaError, match="another run is writing"):
        Journal(output, SETTINGS, resume=True)


def test_a_folder_that_cannot_be_written_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(OutputError, match=r"partial cannot be written: Permission denied"):
        Journal(tmp_path / "a.csv", SETTINGS)


@pytest.mark.parametrize("name", ["none/a.csv", "x" * 300])
def test_a_name_that_cannot_be_a_file_is_a_mistake_in_the_call(tmp_path: Path, name: str) -> None:
    with pytest.raises(PocketiqaError, match="partial cannot be made, name another file") as raised:
        Journal(tmp_path / name, SETTINGS)
    assert raised.value.exit_status == 2


def test_a_full_disk_says_how_many_rows_are_kept(
    output: Path, photos: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(output, SETTINGS)
    journal.append(photos[0], row(photos[0]))

    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(journal, "_write", full)
    words = r"No space left on device; make room: 1 rows are kept in .*--resume goes on"
    with pytest.raises(OutputError, match=words), journal:
        journal.append(photos[1], row(photos[1]))
    monkeypatch.undo()
    with Journal(output, SETTINGS, resume=True) as journal:
        assert len(journal) == 1
