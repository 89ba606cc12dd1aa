"""``pocketiqa gate`` and ``fit-gate``: decisions as rows and an exit status, and a gate from labelled photos."""

from __future__ import annotations

import csv
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pocketiqa.bundle import Bundle
from pocketiqa.cli import main
from pocketiqa.gate import Gate, Threshold
from pocketiqa.scorer import Scorer


@pytest.fixture
def album(tmp_path: Path, photos: dict[str, np.ndarray]) -> Path:
    folder = tmp_path / "album"
    folder.mkdir()
    for name, photo in photos.items():
        Image.fromarray(photo).save(folder / f"{name}.png")
    return folder


def labels_by(scores: dict[str, float]) -> dict[str, bool]:
    """The photo with the lowest score is refused, the better half accepted: the tiny network's scores are close."""
    ordered = sorted(scores, key=scores.get)
    return {ordered[0]: False, **{photo: True for photo in ordered[(len(ordered) + 1) // 2 :]}}


def write_labels(path: Path, scores: dict[str, float]) -> Path:
    lines = [f"{photo},{'accepted' if good else 'refused'}" for photo, good in labels_by(scores).items()]
    path.write_text("\n".join(["path,label", *lines]))
    return path


@pytest.fixture
def scores(tiny_bundle: Path, album: Path) -> dict[str, float]:
    return {result.path: result.score for result in Scorer(tiny_bundle).batch(sorted(map(str, album.iterdir())))}


def write_gate(path: Path, least: float) -> str:
    Gate((Threshold("score", least, "poor"),)).write(path)
    return str(path)


@pytest.mark.parametrize("refuses", [False, True])
def test_photos_are_accepted_or_refused_with_reasons_and_the_status_says_which(
    tmp_path: Path, album: Path, scores: dict, tiny_bundle: Path, refuses: bool, capsys: pytest.CaptureFixture
) -> None:
    least = math.floor(max(scores.values()) * 1000) / 1000 if refuses else 0.0
    expected = {path for path, score in scores.items() if score < least}
    gate = write_gate(tmp_path / "gate.json", least)
    call = ["gate", str(album), "--bundle", str(tiny_bundle), "--gate", gate, "--format", "csv"]
    assert main(call) == (1 if refuses else 0)
    shown = capsys.readouterr()
    rows = list(csv.DictReader(shown.out.splitlines()))
    assert list(rows[0])[:3] == ["path", "decision", "score"] and list(rows[0])[-1] == "reasons"
    told = {row["path"]: row["reasons"] for row in rows if row["decision"] == "refused"}
    assert told.keys() == expected and bool(told) == refuses
    assert all(reason.startswith("poor: score 0.") for reason in told.values())
    counted = f"accepted {len(scores) - len(told)} and refused {len(told)} of {len(scores)} photos"
    assert counted in shown.err


def test_a_photo_that_cannot_be_scored_is_neither_accepted_nor_refused(
    tmp_path: Path, album: Path, scores: dict, tiny_bundle: Path, capsys: pytest.CaptureFixture
) -> None:
    (album / "empty.png").touch()
    gate = write_gate(tmp_path / "gate.json", 0.0)
    assert main(["gate", str(album), "--bundle", str(tiny_bundle), "--gate", gate, "--format", "jsonl"]) == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    failed = [row for row in rows if row["decision"] == "failed"]
    assert len(failed) == 1 and "empty" in failed[0]["error"] and failed[0]["reasons"] is None


def test_a_bundle_without_a_gate_says_how_to_get_one(
    album: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["gate", str(album), "--bundle", str(tiny_bundle)]) == 2
    assert "carries no gate; fit one: pocketiqa fit-gate" in capsys.readouterr().err


def test_a_gate_is_fitted_from_labels_and_then_decides_as_it_says(
    tmp_path: Path, album: Path, scores: dict, tiny_bundle: Path, capsys: pytest.CaptureFixture
) -> None:
    labels, output = write_labels(tmp_path / "labels.csv", scores), tmp_path / "mine.json"
    bundle, good = ["--bundle", str(tiny_bundle)], sum(labels_by(scores).values())
    assert main(["fit-gate", "--labels", str(labels), "--max-false-refusal", "0.65", "-o", str(output), *bundle]) == 0
    gate = Gate.read(output)
    shown = capsys.readouterr()
    assert str(gate) in shown.out and "mine.json written" in shown.err
    assert (gate.fit.good, gate.fit.good_refused, gate.fit.bad, gate.fit.bad_refused) == (good, 0, 1, 1)
    opened = Bundle.open(tiny_bundle)
    assert gate.fit.sha256 == opened.manifest.files[opened.variant("int8").path].sha256
    assert main(["gate", str(album), "--gate", str(output), "--format", "csv", *bundle]) == 1
    rows = csv.DictReader(capsys.readouterr().out.splitlines())
    decisions = {row["path"]: row["decision"] for row in rows}
    assert all(
        decisions[photo] == ("accepted" if is_good else "refused") for photo, is_good in labels_by(scores).items()
    )


def test_another_program_than_the_gates_own_is_told_about(
    tmp_path: Path, album: Path, scores: dict, tiny_bundle: Path, capsys: pytest.CaptureFixture
) -> None:
    worst = min(scores, key=scores.get)
    labels = write_labels(tmp_path / "labels.csv", scores)
    call = ["--bundle", str(tiny_bundle)]
    output = str(tmp_path / "gate.json")
    main(["fit-gate", "--labels", str(labels), "--max-false-refusal", "0.9", "-o", output, *call])
    main(["gate", worst, "--gate", output, *call])
    assert "another program" not in capsys.readouterr().err
    main(["gate", worst, "--gate", output, "--variant", "fp32", *call])
    assert "fitted to another program (tiny" in capsys.readouterr().err


def test_too_few_photos_are_refused_before_any_is_scored(
    tmp_path: Path, album: Path, capsys: pytest.CaptureFixture
) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "bad.png")
    folders = ["--accepted", str(album), "--refused", str(tmp_path / "bad.png")]
    assert main(["fit-gate", *folders, "--bundle", str(tmp_path / "nowhere"), "-o", str(tmp_path / "g.json")]) == 2
    assert "no bound below" in capsys.readouterr().err and not (tmp_path / "g.json").exists()


def test_photos_that_cannot_be_scored_are_left_out_of_the_fit_and_named(
    tmp_path: Path, album: Path, scores: dict, tiny_bundle: Path, capsys: pytest.CaptureFixture
) -> None:
    for photo, is_good in labels_by(scores).items():
        folder = tmp_path / ("good" if is_good else "bad")
        folder.mkdir(exist_ok=True)
        shutil.copy(photo, folder)
    (tmp_path / "good" / "empty.png").touch()
    call = ["--accepted", str(tmp_path / "good"), "--refused", str(tmp_path / "bad"), "--bundle", str(tiny_bundle)]
    output = tmp_path / "gate.json"
    assert main(["fit-gate", *call, "--max-false-refusal", "0.9", "-o", str(output)]) == 1
    assert "left out" in capsys.readouterr().err
    assert Gate.read(output).fit.good == sum(labels_by(scores).values())
