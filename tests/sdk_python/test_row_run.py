"""A run over many photos, real and broken, ends with the same rows however often it was stopped on the way."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pocketiqa.cli import main
from pocketiqa.journal import Journal

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no signals to be killed by")

PHOTOS = 60


@pytest.fixture
def folder(tmp_path: Path, photos: dict[str, np.ndarray]) -> Path:
    """Sixty small photos of several kinds; each sixth is broken."""
    folder = tmp_path / "photos"
    (folder / "below").mkdir(parents=True)
    sources = [Image.fromarray(photo).resize((96, 72)) for photo in photos.values()]
    for i in range(PHOTOS):
        path = folder / ("below" if i % 2 else "") / f"{i:02d}.{('jpg', 'png', 'webp')[i % 3]}"
        sources[i % len(sources)].rotate(i).save(path)
        if i % 6 == 0:
            path.write_bytes([b"", b"no photo", path.read_bytes()[:40]][i // 6 % 3])
    return folder


@pytest.fixture
def command(folder: Path, tiny_bundle: Path, tmp_path: Path) -> Callable[..., list[str]]:
    def given(name: str, *more: str) -> list[str]:
        arguments = ["score", str(folder), "--recursive", "--bundle", str(tiny_bundle), "-o", str(tmp_path / name)]
        return [*arguments, *more]

    return given


def stalled_after(rows: int) -> None:
    """From now on a run waits for its end after so many more rows."""
    append, left = Journal.append, [rows]

    def counted(journal: Journal, *arguments: object) -> None:
        append(journal, *arguments)
        left[0] -= 1
        if not left[0]:
            time.sleep(120)

    Journal.append = counted


def wait_for_rows(partial: Path, rows: int) -> None:
    for _ in range(6000):
        if partial.exists() and partial.read_bytes().count(b"\n") > rows:  # and the line of settings
            return
        time.sleep(0.01)
    pytest.fail("the run wrote no rows")


def stopped(arguments: list[str], partial: Path, number: int, more: int, errors: Path) -> int:
    """Run in a child until ``more`` rows are written, send it the signal, and return how it ended."""
    before = partial.read_bytes().count(b"\n") - 1 if partial.exists() else 0
    if not (child := os.fork()):
        with open(errors, "w") as file:
            sys.stderr = file
            stalled_after(more)
            status = main(arguments)
        os._exit(status)
    wait_for_rows(partial, before + more)
    time.sleep(0.05)
    os.kill(child, number)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("style", ["csv", "jsonl"])
def test_a_run_that_is_killed_by_every_signal_in_turn_ends_as_an_undisturbed_one(
    command: Callable, tmp_path: Path, style: str
) -> None:
    assert main(command("whole", "--format", style)) == 1
    arguments, partial = command("scores", "--format", style, "--workers", "2", "--resume"), tmp_path / "scores.partial"
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL, signal.SIGHUP):
        status = stopped(arguments, partial, number, 9, tmp_path / "errors")
        told = (tmp_path / "errors").read_text().splitlines()
        if number == signal.SIGKILL:
            assert status == -9 and told == []
            partial.write_bytes(partial.read_bytes()[:-7])  # a row in the middle of being written
        else:
            assert status == 128 + number
            assert told[-1].endswith(f"rows are kept in {partial}: the same command with --resume goes on")
        assert not (tmp_path / "scores").exists()
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith((".", "scores"))] == [partial.name]
    assert main(arguments) == 1
    assert (tmp_path / "scores").read_bytes() == (tmp_path / "whole").read_bytes()
    assert (tmp_path / "scores").read_bytes().count(b"\n") == PHOTOS + (style == "csv")
    assert not partial.exists()


SCRIPT = """
import sys
from tests.sdk_python.test_row_run import stalled_after
from pocketiqa.cli import main
stalled_after(9)
sys.exit(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="commands are guarded on Linux only")
def test_the_installed_command_hands_a_signal_on_and_its_rows_survive(command: Callable, tmp_path: Path) -> None:
    partial = tmp_path / "scores.partial"
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *command("scores")],
        cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_for_rows(partial, 9)
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (143, "")
    assert errors.splitlines()[-1] == (
        f"pocketiqa: stopped; 9 rows are kept in {partial}: the same command with --resume goes on"
    )
    assert main(command("scores")) == 2
    assert main(command("scores", "--resume")) == main(command("whole")) == 1
    assert (tmp_path / "scores").read_bytes() == (tmp_path / "whole").read_bytes()


def test_only_what_is_missing_or_changed_is_scored_again(
    command: Callable, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, scored = Journal.append, []

    def counted(journal: Journal, photo: str, row: dict) -> None:
        append(journal, photo, row)
        scored.append(Path(photo).stem)
        if len(scored) == 20:
            raise KeyboardInterrupt

    monkeypatch.setattr(Journal, "append", counted)
    assert main(command("scores")) == 130
    os.utime(folder / "02.webp", (1, 1))
    assert main(command("scores", "--resume")) == 1
    before, again = set(scored[:20]), scored[20:]
    everything, broken = ({f"{i:02d}" for i in range(0, PHOTOS, step)} for step in (1, 6))
    assert "02" in before and len(again) == len(set(again))
    assert set(again) == (everything - before) | {"02"} | (before & broken)


def test_workers_change_no_byte(command: Callable, tmp_path: Path) -> None:
    outputs = []
    for workers in (1, 2, 7):
        assert main(command(f"{workers}.jsonl", "--format", "jsonl", "--workers", str(workers))) == 1
        outputs.append((tmp_path / f"{workers}.jsonl").read_bytes())
    assert outputs[0] == outputs[1] == outputs[2]


def test_the_target_of_a_link_is_written_and_keeps_its_mode(command: Callable, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "target.csv", tmp_path / "link.csv"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    assert main(command("link.csv", "--format", "csv")) == 1
    assert link.is_symlink() and target.read_text().startswith("path,score")
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_link_to_nothing_yet_is_written_too_and_a_loop_is_refused(
    command: Callable, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "new.csv")
    assert main(command("link.csv", "--format", "csv")) == 1
    assert (tmp_path / "new.csv").read_text().startswith("path,score")
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    capsys.readouterr()
    assert main(command("loop.csv", "--format", "csv")) == 2
    assert "a link that leads to itself" in capsys.readouterr().err and (tmp_path / "loop.csv").is_symlink()


def test_a_full_disk_is_told_in_words_and_the_rows_before_it_are_gone_on_with(
    command: Callable, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    resource = pytest.importorskip("resource")
    assert main(command("whole")) == 1
    capsys.readouterr()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, before[1]))
        assert main(command("scores")) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    (told,) = capsys.readouterr().err.splitlines()
    assert "scores.partial cannot be written: File too large; make room: " in told and "with --resume goes on" in told
    assert main(command("scores", "--resume")) == 1
    assert (tmp_path / "scores").read_bytes() == (tmp_path / "whole").read_bytes()


def test_a_parquet_file_holds_the_rows_of_json_lines_with_their_types(command: Callable, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert main(command("a.jsonl", "--format", "jsonl")) == main(command("a.parquet", "--format", "parquet")) == 1
    table = parquet.read_table(tmp_path / "a.parquet")
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert table.to_pylist() == [{name: row[name] for name in table.column_names} for row in rows]
    kinds = {field.name: str(field.type) for field in table.schema}
    assert [kinds.pop(name) for name in ("path", "error", "warning")] == ["string"] * 3
    assert [kinds.pop(name) for name in ("width", "height")] == ["int64"] * 2 and set(kinds.values()) == {"double"}
    made_by = json.loads(table.schema.metadata[b"pocketiqa"])
    assert made_by["variant"] == "int8" and made_by["photos"] == PHOTOS and made_by["failed"] == PHOTOS // 6


def test_parquet_without_pyarrow_is_refused_before_anything_is_scored(
    command: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert main(command("a.parquet", "--format", "parquet")) == 2
    assert capsys.readouterr().err == (
        "pocketiqa: --format parquet needs pyarrow: pip install pocketiqa[parquet], or take csv or jsonl\n"
    )


def test_a_name_that_is_no_utf8_is_escaped_and_its_bytes_stand_beside_it(
    tiny_bundle: Path, tmp_path: Path, photos: dict[str, np.ndarray]
) -> None:
    pyarrow = pytest.importorskip("pyarrow.parquet")
    odd = os.fsencode(tmp_path / "odd")
    os.mkdir(odd)
    with open(os.path.join(odd, b"latin-\xe9.png"), "wb") as file:
        Image.fromarray(photos["coffee"]).save(file)
    Image.fromarray(photos["rocket"]).save(tmp_path / "odd" / "ünï.png")
    out = tmp_path / "rows"
    for style in ("jsonl", "parquet"):
        options = ["--bundle", str(tiny_bundle), "--format", style, "-o", f"{out}.{style}"]
        assert main(["score", str(tmp_path / "odd"), *options]) == 0
    latin, plain = map(json.loads, Path(f"{out}.jsonl").read_bytes().decode("utf-8", "strict").splitlines())
    assert latin["path"].endswith(r"latin-\xe9.png") and list(latin)[:2] == ["path", "path_bytes"]
    latin["path"].encode("utf-8", "strict")
    assert "path_bytes" not in plain and plain["path"].endswith("ünï.png")
    in_parquet = pyarrow.read_table(f"{out}.parquet").column("path_bytes").to_pylist()
    assert in_parquet == [os.path.join(odd, b"latin-\xe9.png"), None]
