"""The command: columns, exit statuses, whole outputs, and one line for every mistake."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pocketiqa.cli import main
from pocketiqa.runtime import installed_runtimes

COLUMNS = ["path", "score", "sharpness", "noise", "exposure", "contrast", "colour", "compression", "error"]


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
    album: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture
) -> None:
    spoil(album)
    main(["score", str(album), "--bundle", str(tiny_bundle), "--format", "jsonl", "--variant", "fp32"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(list(row) == [*COLUMNS, "runtime"] for row in rows)
    assert {row["runtime"].split()[0] for row in rows} <= set(installed_runtimes())


def test_the_table_has_a_row_a_photo_and_names_its_runtime(
    album: Path, tiny_bundle: Path, photos: dict, capsys: pytest.CaptureFixture
) -> None:
    main(["score", str(album), "--bundle", str(tiny_bundle)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == COLUMNS
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
    with open(output, newline="", encoding="utf-8", errors="surrogateescape") as file:
        rows = list(csv.DictReader(file))
    assert sorted(os.path.basename(os.fsencode(row["path"])) for row in rows) == sorted(wanted)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["score", "{album}", "--bundle", "{tmp}/none"], "not a folder"),
        (["score", "{album}/nothing-here", "--bundle", "{album}"], "no readable manifest.json"),
        (["score", "{tmp}/hollow", "--bundle", "{bundle}"], "no photos there"),
        (["score", "{album}", "--bundle", "{bundle}", "-o", "{tmp}/none/scores.csv"], "a folder that exists"),
        (["score", "{album}", "--bundle", "{bundle}", "-o", "{tmp}"], "name a file"),
        (["score", "{album}", "--bundle", "{bundle}", "-o", "{album}/coffee.jpg"], "one of the photos"),
        (["inspect", "{tmp}/none.pte"], "cannot be read"),
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
    before = (album / "coffee.jpg").read_bytes()
    filled = [part.format(album=album, bundle=tiny_bundle, tmp=tmp_path) for part in arguments]
    assert main(filled) == 2
    error = capsys.readouterr().err
    assert reason in error and error.startswith("pocketiqa: ") and error.count("\n") == 1
    assert (album / "coffee.jpg").read_bytes() == before


@pytest.mark.parametrize("arguments", [[], ["score"], ["score", "a", "--format", "xml"], ["guess"]])
def test_a_wrong_call_exits_2(arguments: list[str], capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


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


def test_the_installed_command_keeps_the_runtimes_chatter_to_itself(album: Path, tiny_bundle: Path) -> None:
    command = [sys.executable, "-c", "import sys; from pocketiqa.cli import main; sys.exit(main())"]
    arguments = ["score", str(album / "coffee.jpg"), "--bundle", str(tiny_bundle), "--format", "csv"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 2
    assert [line for line in done.stderr.splitlines() if not line.startswith("pocketiqa: ")] == []
