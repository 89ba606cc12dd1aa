"""Each flag of ``python -m quantize`` changes something, on a user's own network."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tiny_network
from eager_program import without_lowering
from pocketiqa.promises import Promise
from safetensors.torch import load_file
from tiny_network import write_photos, write_weights

from distill.networks import registry
from quantize import quantize_network, state
from quantize.__main__ import main

FILE = Path(tiny_network.__file__)


@pytest.fixture(scope="module", autouse=True)
def eager() -> Iterator[None]:
    with without_lowering():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, np.ndarray]) -> Path:
    folder = tmp_path_factory.mktemp("flags")
    write_photos(folder / "photos", photos)
    write_photos(folder / "others", dict(reversed(photos.items())))
    write_weights(folder / "w.safetensors")
    write_weights(folder / "other.safetensors", seed=1)
    return folder


def run(folder: Path, out: Path, *flags: str) -> tuple[int, dict]:
    """Exit status and record of a run with ``flags`` in place of the usual ones."""
    base = ["--images", folder / "photos", "--network", f"{FILE}:build", "--weights", folder / "w.safetensors"]
    sizes = ["--calibration", "3", "--tuning", "16", "--validation", "4", "--qat.steps", "0", "--out", out]
    usual = [str(word) for word in (*base, *sizes)]
    given = {flag for flag in flags if flag.startswith("--")}
    kept = [word for at in range(0, len(usual), 2) if usual[at] not in given for word in usual[at : at + 2]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["python -m quantize", *kept, *flags])
        status = main()
    record = json.loads(out.with_suffix(".json").read_text()) if out.is_file() else {}
    return status, {key: value for key, value in record.items() if key != "command"}


@pytest.fixture(scope="module")
def usual(folder: Path) -> dict:
    status, record = run(folder, folder / "usual.safetensors")
    assert status == 0 and record["network"] == "own" and record["promise"]["srcc"] == 0.99
    return record


CHANGES = {
    "network": (["--network", "{file}:other"], "network"),
    "images": (["--images", "{folder}/others"], "calibration"),
    "mos": (["--mos", "{folder}/photos/mos.csv"], "validation"),
    "weights": (["--weights", "{folder}/other.safetensors"], "weights_sha256"),
    "calibration": (["--calibration", "4"], "calibration"),
    "tuning": (["--tuning", "17"], "tuning"),
    "validation": (["--validation", "3"], "validation"),
    "seed": (["--seed", "1"], "calibration"),
    "keep-float": (["--keep-float", "body.0"], "float_modules"),
    "max-drop": (["--max-drop", "0.2"], "promise"),
    "qat.steps": (["--qat.steps", "1"], "validation"),
}


@pytest.mark.parametrize(("flags", "changed"), CHANGES.values(), ids=CHANGES)
def test_a_flag_changes_what_the_record_says_of_it(
    folder: Path, usual: dict, tmp_path: Path, flags: list[str], changed: str
) -> None:
    words = [word.format(folder=folder, file=FILE) for word in flags]
    _, record = run(folder, tmp_path / "int8.safetensors", *words)
    assert record[changed] != usual[changed]


def test_without_out_a_network_goes_to_its_own_run_folder_and_no_committed_file_changes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["--images", str(folder / "photos"), "--network", f"{FILE}:build", "--qat.steps", "0"]
    arguments += ["--weights", str(folder / "w.safetensors"), "--tuning", "16", "--validation", "4"]
    monkeypatch.setattr(sys, "argv", ["python -m quantize", *arguments])
    assert main() == 0
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {"runs/own/int8.safetensors", "runs/own/int8.json"}


def test_ship_writes_the_state_that_the_repository_ships_and_says_what_the_product_promises(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry._BUILDERS, "own", tiny_network.build)
    monkeypatch.setitem(registry._SHIPPED_WEIGHTS, "own", folder / "w.safetensors")
    monkeypatch.setitem(state.SHIPPED, "own", tmp_path / "shipped.safetensors")
    arguments = ["--images", str(folder / "photos"), "--network", "own", "--qat.steps", "0", "--ship"]
    monkeypatch.setattr(sys, "argv", ["python -m quantize", *arguments, "--tuning", "16", "--validation", "4"])
    assert main() == 0
    assert load_file(tmp_path / "shipped.safetensors")
    assert json.loads((tmp_path / "shipped.json").read_text())["promise"]["srcc"] == 0.998


def test_another_network_cannot_ship(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, record = run(folder, tmp_path / "int8.safetensors", "--ship")
    assert status == 2 and not record and "--out" in capsys.readouterr().err


def test_a_layer_that_does_not_exist_cannot_stay_float(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _ = run(folder, tmp_path / "int8.safetensors", "--keep-float", "trunk")
    assert status == 2 and "no layer 'trunk'" in capsys.readouterr().err


def test_a_broken_promise_is_written_told_and_ends_with_1(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantize_network, "ANY_NETWORK", Promise(mean_abs=0.0))
    status, record = run(folder, tmp_path / "int8.safetensors")
    assert status == 1 and record["promise"] == Promise(mean_abs=0.0).to_dict()
    assert "the promise is broken: " in capsys.readouterr().out
