"""A network that gives a score and nothing else goes through every command, as the shipped student does."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pocketiqa import Bundle, Scorer, preprocess
from pocketiqa.cli import main
from pocketiqa.errors import BundleError
from pocketiqa.manifest import Manifest
from pocketiqa.promises import ANY_NETWORK
from pocketiqa.verification import verify_bundle


@pytest.fixture
def album(tmp_path: Path, photos: dict[str, np.ndarray]) -> Path:
    folder = tmp_path / "album"
    folder.mkdir()
    for name, photo in photos.items():
        Image.fromarray(photo).save(folder / f"{name}.png")
    return folder


@pytest.mark.parametrize("variant", ["int8", "fp32"])
def test_a_photo_gets_a_score_no_attributes_and_no_map(
    score_only_bundle: Path, photos: dict[str, np.ndarray], variant: str
) -> None:
    scorer = Scorer(score_only_bundle, variant)
    results = list(scorer.batch(photos.values()))
    assert scorer.attribute_names == () and scorer.bundle.manifest.map_shape is None
    assert all(result.attributes == {} and result.map is None and result.error is None for result in results)
    assert len({result.score for result in results}) == len(photos)


@pytest.mark.parametrize("style", ["table", "csv", "jsonl"])
def test_each_format_has_the_path_the_score_and_the_error(
    score_only_bundle: Path, album: Path, capsys: pytest.CaptureFixture, style: str
) -> None:
    (album / "text.png").write_text("hello")
    assert main(["score", str(album), "--bundle", str(score_only_bundle), "--format", style]) == 1
    lines = capsys.readouterr().out.splitlines()
    if style == "jsonl":
        rows = [json.loads(line) for line in lines]
        assert all(list(row) == ["path", "score", "error", "width", "height", "warning", "runtime"] for row in rows)
    elif style == "csv":
        rows = list(csv.DictReader(lines))
        assert all(list(row) == ["path", "score", "error", "width", "height", "warning"] for row in rows)
    else:
        rows = lines[1:-1]
        assert lines[0].split() == ["path", "score", "error"] and lines[-1].startswith("scored with score-only-0.0.1")
    assert len(rows) == len(list(album.iterdir()))


def test_inspect_shows_its_one_output(score_only_bundle: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["inspect", str(score_only_bundle)]) == 0
    shown = capsys.readouterr().out
    assert "inputs: float32 1×3×48×80" in shown and "outputs: float32 1×1" in shown
    assert main(["inspect", str(score_only_bundle / "xnnpack" / "student_int8.pte")]) == 0


def test_verify_finds_it_sound_on_its_golden_photos_and_on_others(
    score_only_bundle: Path, album: Path, capsys: pytest.CaptureFixture
) -> None:
    for more, asked in (([], ANY_NETWORK.on_golden_photos()), (["--images", str(album)], ANY_NETWORK)):
        assert main(["verify", str(score_only_bundle), *more]) == 0
        shown = capsys.readouterr().out
        assert "sound" in shown and f"promised: {asked}" in shown and "mean |Δ| of" not in shown
    found = verify_bundle(score_only_bundle)
    assert found.attributes == {} and found.parity.n == 4 and set(found.golden) == {"int8", "fp32"}


def test_verify_finds_golden_scores_that_are_not_the_programs(score_only_bundle: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(score_only_bundle, tmp_path / "copy"))
    values = json.loads((copy / "manifest.json").read_bytes())
    next(iter(values["golden"].values()))["int8"][0] += 0.02
    Manifest.from_dict(values).write(copy / "manifest.json")
    assert len([line for line in verify_bundle(copy).broken if "golden scores (bound 0.01)" in line]) == 1


def test_check_input_tells_a_right_tensor_from_a_wrong_one(
    score_only_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    tensor = preprocess(score_only_bundle / "golden" / "coffee.png", Bundle.open(score_only_bundle).manifest.input)
    for wrong, status, word in ((tensor, 0, "right"), (tensor[:, ::-1], 1, "BGR"), (tensor * 255, 1, "0–255")):
        np.save(tmp_path / "x.npy", wrong)
        assert main(["check-input", str(score_only_bundle), str(tmp_path / "x.npy")]) == status
        assert word in capsys.readouterr().out
    np.save(tmp_path / "x.npy", np.concatenate([tensor, tensor]))
    assert main(["check-input", str(score_only_bundle), str(tmp_path / "x.npy")]) == 2
    assert "1 view (whole) of one photo" in capsys.readouterr().err


def test_packed_it_scores_as_its_folder_does(
    score_only_bundle: Path, tmp_path: Path, photos: dict[str, np.ndarray]
) -> None:
    packed, folder = tmp_path / "small.pocketiqa", tmp_path / "small"
    assert main(["pack", str(score_only_bundle), str(packed)]) == main(["unpack", str(packed), str(folder)]) == 0
    scores = [Scorer(place)(photos["coffee"]).score for place in (score_only_bundle, packed, folder)]
    assert len(set(scores)) == 1


@pytest.mark.parametrize("attributes", [{}, {"names": []}, {"names": [], "range": [0, 1]}])
def test_no_attributes_may_be_written_as_an_empty_list_too(
    score_only_bundle: Path, tmp_path: Path, photos: dict[str, np.ndarray], attributes: dict
) -> None:
    copy = Path(shutil.copytree(score_only_bundle, tmp_path / "copy"))
    values = json.loads((copy / "manifest.json").read_bytes())
    values["outputs"]["attributes"] = attributes
    Manifest.from_dict(values).write(copy / "manifest.json")
    assert Scorer(copy)(photos["coffee"]).attributes == {}


@pytest.mark.parametrize(
    "outputs", [{"attributes": {"names": ["noise"]}}, {"map": {"shape": [2, 2]}}], ids=["attribute", "map"]
)
def test_outputs_that_the_program_does_not_give_are_refused(
    score_only_bundle: Path, tmp_path: Path, outputs: dict
) -> None:
    copy = Path(shutil.copytree(score_only_bundle, tmp_path / "copy"))
    values = json.loads((copy / "manifest.json").read_bytes())
    values |= {"outputs": {"score": {}} | outputs, "golden": {}}
    Manifest.from_dict(values).write(copy / "manifest.json")
    with pytest.raises(BundleError, match="the manifest says"):
        Scorer(copy)


def test_a_map_that_the_manifest_does_not_name_is_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))
    values = json.loads((copy / "manifest.json").read_bytes())
    del values["outputs"]["map"]
    Manifest.from_dict(values).write(copy / "manifest.json")
    with pytest.raises(BundleError, match="the manifest says"):
        Scorer(copy)
