"""The command: columns, exit statuses, whole outputs, and one line for every mistake."""

from __future__ import annotations

import base64
import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pocketiqa
import pytest
from PIL import Image
from pocketiqa.bundle import Bundle
from pocketiqa.cli import main
from pocketiqa.preprocess import preprocess
from pocketiqa.runtime import installed_runtimes

COLUMNS = ["path", "score", "sharpness", "noise", "exposure", "contrast", "colour", "compression", "error"]
BESIDE = ["width", "height", "warning"]
COLUMNS += BESIDE


@pytest.fixture
def album(tmp_path: Path, photos: dict[str, np.ndarray]) -> Path:
    folder = tmp_path / "album"
    folder.mkdir()
    for name, photo in photos.items():
        Image.fromarray(photo).save(folder / f"{name}.jpg")
    return folder


def spoil(album: Path) -> None:
    (album / "empty.jpg").touch()
    (album / "text.jpg").write_text("hello")
    Image.new("RGB", (1, 1)).save(album / "pixel.png")


def test_a_sound_album_is_scored_and_exits_0(
    album: Path, tiny_bundle: Path, photos: dict, capsys: pytest.CaptureFixture
) -> None:
    assert main(["score", str(album), "--bundle", str(tiny_bundle), "--format", "csv"]) == 0
    shown = capsys.readouterr()
    rows = list(csv.DictReader(shown.out.splitlines()))
    assert list(rows[0]) == COLUMNS and len(rows) == len(photos)
    assert all(0 <= float(row["score"]) <= 1 and row["error"] == "" for row in rows)
    assert f"scored {len(photos)} of {len(photos)}" in shown.err


def test_bad_photos_are_named_the_rest_is_scored_and_it_exits_1(
    album: Path, tiny_bundle: Path, photos: dict, capsys: pytest.CaptureFixture
) -> None:
    spoil(album)
    assert main(["score", str(album), "--bundle", str(tiny_bundle), "--format", "csv"]) == 1
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    failed = {Path(row["path"]).name: row["error"] for row in rows if row["error"]}
    assert set(failed) == {"empty.jpg", "text.jpg", "pixel.png"}
    assert "empty" in failed["empty.jpg"] and "too small" in failed["pixel.png"]
    assert sum(row["score"] != "" for row in rows) == len(photos)


def test_json_lines_name_the_runtime_in_every_row(
    album: Path, tiny_bundle: Path, photos: dict, capsys: pytest.CaptureFixture
) -> None:
    spoil(album)
    main(["score", str(album), "--bundle", str(tiny_bundle), "--format", "jsonl", "--variant", "fp32"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == len(photos) + 3
    assert all(list(row) == [*COLUMNS, "runtime"] for row in rows)
    assert {row["runtime"].split()[0] for row in rows} <= set(installed_runtimes())


def test_the_table_has_a_row_a_photo_and_names_its_runtime(
    album: Path, tiny_bundle: Path, photos: dict, capsys: pytest.CaptureFixture
) -> None:
    main(["score", str(album), "--bundle", str(tiny_bundle)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == COLUMNS[: -len(BESIDE)], "a table has no room for more"
    assert len(lines) == len(photos) + 2
    assert lines[-1].startswith("scored with tiny-0.0.1 int8, executorch")


def test_a_result_file_appears_whole_with_its_provenance_beside_it(
    album: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    output = tmp_path / "scores.csv"
    spoil(album)
    assert (
        main(["score", str(album), "--bundle", str(tiny_bundle), "--format", "csv", "-o", str(output)]) == 1
    )
    assert output.read_text().splitlines()[0] == ",".join(COLUMNS)
    made_by = json.loads((tmp_path / "scores.csv.run.json").read_text())
    assert made_by["failed"] == 3 and made_by["runtime"].startswith("executorch")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["album", "scores.csv", "scores.csv.run.json"]


def test_names_with_newlines_commas_and_wrong_bytes_survive_csv(
    tiny_bundle: Path, tmp_path: Path, photos: dict[str, np.ndarray]
) -> None:
    folder = os.fsencode(tmp_path / "odd")
    os.mkdir(folder)
    wanted = [b'a,"b".png', b"line\nbreak.png", b"latin-\xe9.png", "ünï.png".encode()]
    Image.fromarray(photos["coffee"]).save(tmp_path / "source.png")
    for name in wanted:
        shutil.copy(tmp_path / "source.png", os.path.join(folder, name))
    output = tmp_path / "scores.csv"
    arguments = [
        "score",
        str(tmp_path / "odd"),
        "--bundle",
        str(tiny_bundle),
        "--format",
        "csv",
        "-o",
        str(output),
    ]
    assert main(arguments) == 0
    with open(output, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    paths = [base64.b64decode(row["path_bytes"]) or row["path"].encode() for row in rows]
    assert sorted(map(os.path.basename, paths)) == sorted(wanted)
    assert [os.path.basename(row["path"]) for row in rows if row["path_bytes"]] == [r"latin-\xe9.png"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["score", "{album}", "--bundle", "{tmp}/none"], "not a folder"),
        (["score", "{album}/nothing-here", "--bundle", "{album}"], "no readable manifest.json"),
        (["score", "{tmp}/hollow", "--bundle", "{bundle}"], "no photos there"),
        (["score", "{album}", "--bundle", "{bundle}", "-o", "{tmp}/none/scores.csv"], "a folder that exists"),
        (["score", "{album}", "--bundle", "{bundle}", "-o", "{tmp}"], "name a file"),
        (["score", "{album}", "--bundle", "{bundle}", "-o", "{tmp}/" + "x" * 300], "name another file"),
        (["score", "{album}", "--bundle", "{bundle}", "-o", "{album}/coffee.jpg"], "one of the photos"),
        (["score", "{album}", "--bundle", "{bundle}", "-o", "{tmp}/pipe"], "no regular file"),
        (["score", "{album}", "--bundle", "{long}"], "not a folder"),
        (["score"], "name photos or folders"),
        (["score", "{album}", "-0"], "--files-from LIST and -"),
        (["score", "{album}", "--resume"], "--resume needs -o FILE"),
        (["score", "{album}", "--format", "parquet"], "--format parquet needs -o FILE"),
        (["score", "--files-from", "{tmp}/none"], "No such file"),
        (["inspect", "{tmp}/none.pte"], "cannot be read"),
        (["inspect", "{long}"], "cannot be read"),
        (["inspect", "{huge}"], "over the limit"),
        (["verify", "{huge}"], "not a folder or packed file"),
        (["pack", "{bundle}", "{tmp}"], "no regular file"),
        (["unpack", "{album}/coffee.jpg", "{tmp}/new"], "not a folder or packed file"),
        (["unpack", "{bundle}", "{tmp}"], "exists already"),
        (["score", "{hollow}", "--bundle", "{bundle}"], "no photos there"),
        (["inspect", "{album}/coffee.jpg"], "not an ExecuTorch program"),
        (["verify", "{album}"], "no readable manifest.json"),
        (["verify", "{bundle}", "--images", "{tmp}/none"], "is no folder"),
        (["verify", "{bundle}", "--images", "{tmp}/hollow"], "holds no photos"),
    ],
)
def test_a_mistake_is_one_line_and_exits_2(
    album: Path,
    tiny_bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    arguments: list[str],
    reason: str,
) -> None:
    (tmp_path / "hollow").mkdir()
    os.mkfifo(tmp_path / "pipe")
    before = (album / "coffee.jpg").read_bytes()
    with open(tmp_path / "huge.pte", "wb") as file:
        file.truncate(300 * 1024**2)
    places = {"album": album, "bundle": tiny_bundle, "tmp": tmp_path, "hollow": tmp_path / "hollow"}
    places |= {"long": "x" * 5000, "huge": tmp_path / "huge.pte"}
    filled = [part.format(**places) for part in arguments]
    assert main(filled) == 2
    error = capsys.readouterr().err
    assert reason in error and error.startswith("pocketiqa: ") and error.count("\n") == 1
    assert (album / "coffee.jpg").read_bytes() == before


@pytest.mark.parametrize(
    "arguments", [[], ["score", "a", "--workers", "0"], ["score", "a", "--format", "xml"], ["guess"]]
)
def test_a_wrong_call_exits_2(arguments: list[str], capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["score photos", "say what a bundle", "check a bundle", "is an app's input", "one .pocketiqa file"]),
        ([], ["Photo quality with pocketiqa bundles", "score|gate|fit-gate|", "|verify|check-input|pack", "--version"]),
        (["score"], ["PATH", "a photo, or a folder", "--bundle BUNDLE", "{int8,fp32}", "{table,csv,jsonl,parquet}"]),
        (["score"], ["--files-from LIST", "one a line", "-0", "end with NUL", "--workers N", "--resume", "a core"]),
        (["score"], ["the bundle to score with", "-o FILE", "default: standard output", "descend into folders"]),
        (["inspect"], ["BUNDLE|FILE.pte", "--json"]),
        (["verify"], ["BUNDLE", "--images DIR", "on these photos", "--json", "--diagnose", "the layer that broke"]),
        (["check-input"], ["BUNDLE TENSOR", "little-endian float32", "--photo FILE", "what it was made of"]),
        (["pack"], ["BUNDLE FILE.pocketiqa"]),
        (["unpack"], ["FILE.pocketiqa DIR"]),
    ],
)
def test_help_names_every_argument_and_says_what_it_is(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit) as caught:
        main([*arguments, "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert caught.value.code == 0 and shown.startswith("usage: pocketiqa")
    assert [word for word in words if word not in shown] == []


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0 and capsys.readouterr().out == f"pocketiqa {pocketiqa.__version__}\n"


def test_folders_below_are_scored_on_demand(album: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture) -> None:
    (album / "below").mkdir()
    Image.open(album / "coffee.jpg").save(album / "below" / "second.jpg", quality=60)
    for options, found in (([], False), (["--recursive"], True)):
        assert main(["score", str(album), "--bundle", str(tiny_bundle), "--format", "csv", *options]) == 0
        assert ("second.jpg" in capsys.readouterr().out) == found
    assert main(["verify", str(tiny_bundle), "--images", str(album), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parity"]["n"] == len(list(album.rglob("*.jpg")))


def test_inspect_says_what_a_bundle_holds(tiny_bundle: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["inspect", str(tiny_bundle), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    int8 = found["variants"]["int8"]
    assert int8["inputs"] == [{"shape": [2, 3, 64, 64], "dtype": "float32"}]
    assert int8["delegation"]["subgraphs"] == 1
    assert int8["bytes"] == (tiny_bundle / "xnnpack" / "student_int8.pte").stat().st_size
    assert main(["inspect", str(tiny_bundle)]) == 0
    assert "inputs: float32 2×3×64×64" in capsys.readouterr().out


def test_inspect_says_what_a_lone_program_is(tiny_bundle: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["inspect", str(tiny_bundle / "xnnpack" / "student_fp32.pte"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["metadata"]["variant"] == "fp32" and len(found["sha256"]) == 64


def test_inspect_of_a_changed_bundle_names_the_file_and_exits_1(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    copy = Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))
    (copy / "golden" / "coffee.png").write_bytes(b"x")
    assert main(["inspect", str(copy)]) == 1
    assert "golden/coffee.png" in capsys.readouterr().out


def test_verify_of_a_sound_bundle_exits_0(
    tiny_bundle: Path, album: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["verify", str(tiny_bundle)]) == 0
    assert "sound" in capsys.readouterr().out
    assert main(["verify", str(tiny_bundle), "--images", str(album), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] and found["parity"]["n"] == len(list(album.iterdir()))


def test_verify_of_a_broken_bundle_exits_1_and_says_how_to_go_on(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    copy = Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))
    (copy / "golden" / "coffee.png").write_bytes(b"x")
    assert main(["verify", str(copy), "--diagnose"]) == 1
    shown = capsys.readouterr()
    assert "BROKEN" in shown.out and f"python -m mobile_export diagnose --bundle {copy}" in shown.err
    assert main(["verify", str(copy), "--json"]) == 1
    shown = capsys.readouterr()
    assert json.loads(shown.out)["ok"] is False and "diagnose" not in shown.err


def test_check_input_takes_the_bundle_and_the_photo_that_it_is_given(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    photo, other = (str(tiny_bundle / "golden" / f"{name}.png") for name in ("coffee", "chelsea"))
    np.save(tmp_path / "x.npy", preprocess(photo, Bundle.open(tiny_bundle).manifest.input))
    command = ["check-input", str(tiny_bundle), str(tmp_path / "x.npy")]
    assert main([*command, "--photo", photo]) == 0
    assert capsys.readouterr().out.startswith("right")
    assert main(command) == 0
    assert "coffee" in capsys.readouterr().out
    assert main([*command, "--photo", other]) == 2
    assert "resembles none" in capsys.readouterr().err


def test_the_installed_command_keeps_the_runtimes_chatter_to_itself(album: Path, tiny_bundle: Path) -> None:
    command = [sys.executable, "-m", "pocketiqa"]
    arguments = ["score", str(album / "coffee.jpg"), "--bundle", str(tiny_bundle), "--format", "csv"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 2
    assert [line for line in done.stderr.splitlines() if not line.startswith("pocketiqa: ")] == []


def test_a_bundle_is_packed_and_unpacked_by_command(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    packed, folder = str(tmp_path / "tiny.pocketiqa"), str(tmp_path / "folder")
    for arguments, written in ((["pack", str(tiny_bundle), packed], packed), (["unpack", packed, folder], folder)):
        assert main(arguments) == 0
        shown = capsys.readouterr()
        assert shown.out == "" and shown.err == f"pocketiqa: {written} written\n"
        assert main(["verify", written]) == 0
        capsys.readouterr()


COMMAND = [sys.executable, "-m", "pocketiqa"]


@pytest.fixture
def hollow_bundle(tiny_bundle: Path, tmp_path: Path) -> str:
    """A bundle without programs: commands in processes of their own need not import a runtime for it."""
    values = json.loads((tiny_bundle / "manifest.json").read_bytes())
    values |= {"files": {}, "variants": {}, "golden": {}, "notes": ["|Δ| is nothing"]}
    (tmp_path / "hollow").mkdir()
    (tmp_path / "hollow" / "manifest.json").write_text(json.dumps(values))
    return str(tmp_path / "hollow")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
def test_a_full_disk_behind_standard_output_is_one_line(hollow_bundle: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "inspect", hollow_bundle], stdout=full, stderr=subprocess.PIPE, text=True, timeout=300
        )
    assert done.returncode == 1
    assert done.stderr.startswith("pocketiqa: ") and done.stderr.count("\n") == 1


def test_a_reader_that_leaves_ends_the_command_in_silence(hollow_bundle: str) -> None:
    process = subprocess.Popen(
        [*COMMAND, "inspect", hollow_bundle, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    assert process.wait(timeout=300) == 1 and process.stderr.read() == b""


def test_a_terminal_without_greek_still_gets_its_report(hollow_bundle: str) -> None:
    done = subprocess.run(
        [*COMMAND, "inspect", hollow_bundle],
        capture_output=True,
        timeout=300,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "POCKETIQA_RUNTIME_LOG": "1"},
    )
    assert done.returncode == 0 and b"|\\u0394|" in done.stdout


def test_words_of_a_hostile_manifest_cannot_steer_the_terminal(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    copy = Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))
    values = json.loads((copy / "manifest.json").read_bytes())
    values |= {"exporter": {"\x1b[2J\ud800": "\x1b]0;owned\x07"}, "notes": ["\x1b[1A" * 10], "licence": "a\nb"}
    (copy / "manifest.json").write_text(json.dumps(values))
    assert main(["inspect", str(copy)]) == 0
    assert not set(capsys.readouterr().out) & {"\x1b", "\x07", "\ud800"}


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (MemoryError(), 1, "out of memory"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (RecursionError(), 2, "the bundle's manifest is nested too deep to be real"),
        (OSError(28, "No space left on device"), 1, "No space left on device"),
        (BrokenPipeError(), 1, None),
    ],
)
def test_what_stops_a_command_is_one_line(
    tiny_bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    error: Exception,
    status: int,
    words: str | None,
) -> None:
    def stopped(*_: object) -> None:
        raise error

    monkeypatch.setattr("pocketiqa.commands.inspect.inspect_bundle", stopped)
    assert main(["inspect", str(tiny_bundle)]) == status
    assert capsys.readouterr().err == (f"pocketiqa: {words}\n" if words else "")
