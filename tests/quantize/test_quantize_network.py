"""The command end to end on a tiny student: a table, a verdict, a record, and a state that loads again."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_student
from eager_program import without_lowering
from PIL import Image
from tiny_student import TinyStudent

from distill.networks.tensors import save_tensors
from quantize.__main__ import main
from quantize.state import load_prepared


@pytest.fixture
def arguments(
    tmp_path: Path, photos: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(40):
        photo = list(photos.values())[number % len(photos)]
        Image.fromarray(photo[number : number + 120, number : number + 160]).save(folder / f"{number}.png")
    (folder / "mos.csv").write_text("\n".join(f"{number}.png,{number / 40}" for number in range(40)))
    weights = tmp_path / "weights.safetensors"
    save_tensors(TinyStudent().state_dict(), weights, {})
    network = f"{Path(tiny_student.__file__)}:TinyStudent"
    flags = {"images": folder, "mos": folder / "mos.csv", "network": network, "weights": weights}
    flags["out"] = tmp_path / "int8.safetensors"
    sizes = {"calibration": 4, "tuning": 24, "validation": 10, "qat.steps": 1}
    return [part for name, value in (flags | sizes).items() for part in (f"--{name}", str(value))]


def run(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> int:
    monkeypatch.setattr(sys, "argv", ["python -m quantize", *arguments])
    return main()


def test_the_better_of_ptq_and_qat_is_written_with_a_verdict_and_loads_again(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with without_lowering():
        assert run(monkeypatch, [*arguments, "--max-drop", "0.1"]) == 0
    printed = capsys.readouterr().out
    assert "| PTQ |" in printed and "| QAT |" in printed and "within --max-drop 0.1 with 0 layers" in printed
    record = json.loads((tmp_path / "int8.json").read_text())
    errors = {name: row["mean_abs"] for name, row in record["validation"].items()}
    assert errors[record["recipe"]] == min(errors.values())
    load_prepared(TinyStudent().eval(), tmp_path / "int8.safetensors", record["weights_sha256"])


@pytest.mark.slow
def test_a_drop_that_int8_cannot_keep_reverts_layers_and_tells_the_price(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    kept = ["--keep-float", "trunk.stem.0", "trunk.stem.1.act"]
    with without_lowering():
        code = run(monkeypatch, [*arguments, "--qat.steps", "0", "--max-drop", "0.1", *kept])
        assert code == 0 and "with 0 layers" in capsys.readouterr().out
        assert set(json.loads((tmp_path / "int8.json").read_text())["float_modules"]) == set(kept[1:])
        code = run(monkeypatch, [*arguments, "--qat.steps", "0", "--max-drop", "-1"])
    printed = capsys.readouterr().out
    assert code == 1
    assert "NOT within --max-drop -1 with 1 layers in float" in printed
    assert "price:" in printed and "time" in printed
    record = json.loads((tmp_path / "int8.json").read_text())
    assert {"trunk.stem.0", "trunk.stages.0"} & set(record["float_modules"])
    load_prepared(TinyStudent().eval(), tmp_path / "int8.safetensors", record["weights_sha256"])


def test_misuse_ends_with_2_and_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, ["--images", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("quantize: ")
