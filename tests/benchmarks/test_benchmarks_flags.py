"""Each flag of each command changes something: what it calls, what it prints or writes, or how it ends."""

from __future__ import annotations

import importlib
import inspect
import re
import shutil
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from pocketiqa.bundle import Bundle
from pocketiqa.gate import Gate, Threshold
from test_record import example

from benchmarks.__main__ import COMMANDS, main
from benchmarks.accuracy import Agreement
from benchmarks.devices.local import LocalDevice
from benchmarks.gate import Refusals
from benchmarks.operators import OperatorKind
from benchmarks.peers.record import PeerSamples
from benchmarks.roofline.measure import Measured
from benchmarks.roofline.record import Peaks
from benchmarks.statistics import Interval

OWN = ["--images", "{album}", "--mos", "{album}/scores.csv"]
PUBLIC = ["--mos-folder", "{album}", "--mos-set", "own", "--split", "train"]
GATE = [*PUBLIC[:4], "--gate", "{album}/gate.json"]
FITTED = ["--fit", "{album}/fitted.json"]
# command → parameter → the call without it, and with it
CASES = {
    "latency": {
        "bundle": ([], ["--bundle", "{other}"]),
        "device": ([], ["--device", "ssh://board"]),
        "variant": ([], ["--variant", "int8,fp32"]),
        "threads": ([], ["--threads", "1,2"]),
        "runs": ([], ["--runs", "7"]),
        "seconds": ([], ["--seconds", "3"]),
        "max_seconds": ([], ["--max-seconds", "30"]),
        "warmups": ([], ["--warmups", "1"]),
        "cold_starts": ([], ["--cold-starts", "4"]),
        "soak": ([], ["--soak", "2m"]),
        "json": ([], ["--json", "{out}/perf.json"]),
        "html": ([], ["--html", "{out}/perf.html"]),
        "markdown": ([], ["--markdown"]),
        "engine": ([], ["--engine", "executor-runner"]),
        "python": ([], ["--python", "python3.13"]),
        "runner": ([], ["--runner", "runner"]),
        "runtime": ([], ["--runtime", "executorch"]),
        "ssh_config": ([], ["--ssh-config", "config"]),
    },
    "end-to-end": {
        "bundle": ([], ["--bundle", "{other}"]),
        "variant": ([], ["--variant", "fp32"]),
        "threads": ([], ["--threads", "2"]),
        "photo": ([], ["--photo", "{album}/one.jpg"]),
        "runs": ([], ["--runs", "3"]),
    },
    "throughput": {
        "bundle": ([], ["--bundle", "{other}"]),
        "variant": ([], ["--variant", "fp32"]),
        "photo": ([], ["--photo", "{album}/one.jpg"]),
        "workers": ([], ["--workers", "1", "7"]),
        "photos": ([], ["--photos", "3"]),
        "rounds": ([], ["--rounds", "7"]),
    },
    "browser": {
        "bundle": (["--bundle", "{album}"], ["--bundle", "{other}"]),
        "photo": (["--bundle", "{other}"], ["--bundle", "{other}", "--photo", "{album}/one.jpg"]),
        "variant": (["--bundle", "{other}"], ["--bundle", "{other}", "--variant", "onnx_fp32"]),
        "runs": (["--bundle", "{other}"], ["--bundle", "{other}", "--runs", "3"]),
    },
    "operators": {
        "bundle": ([], ["--bundle", "{other}"]),
        "variant": ([], ["--variant", "fp32"]),
        "runs": ([], ["--runs", "3"]),
    },
    "roofline": {
        "bundle": ([], ["--bundle", "{other}"]),
        "variant": ([], ["--variant", "fp32"]),
        "rounds": ([], ["--rounds", "7"]),
        "json": ([], ["--json", "{out}/roofline.json"]),
    },
    "accuracy": {
        "images": (["--mos", "{album}/scores.csv"], OWN),
        "mos": (["--images", "{album}"], OWN),
        "scale": (OWN, [*OWN, "--scale", "0", "2"]),
        "mos_folder": (PUBLIC[2:], PUBLIC),
        "mos_set": (["--mos-folder", "{album}"], PUBLIC),
        "split": (OWN, [*OWN, "--split", "test"]),
        "bundle": (OWN, [*OWN, "--bundle", "{other}"]),
        "variant": (OWN, [*OWN, "--variant", "fp32"]),
        "teacher_scores": (OWN, [*OWN, "--teacher-scores", "{album}/scores.csv"]),
    },
    "gate": {
        "mos_folder": (GATE, [*GATE, "--mos-folder", "{other}"]),
        "mos_set": ([*GATE[:2], *GATE[4:]], GATE),
        "line": (GATE, [*GATE, "--line", "0.8"]),
        "bundle": (GATE, [*GATE, "--bundle", "{other}"]),
        "variant": (GATE, [*GATE, "--variant", "fp32"]),
        "max_false_refusal": ([*GATE, *FITTED], [*GATE, *FITTED, "--max-false-refusal", "0.1"]),
        "confidence": ([*GATE, *FITTED], [*GATE, *FITTED, "--confidence", "0.9"]),
        "fit": (GATE, [*GATE, *FITTED]),
        "gate": (GATE, [*GATE, "--gate", "{album}/strict.json"]),
        "others": (GATE, [*GATE, "--others", "{album}/scores.csv"]),
    },
    "consistency": {
        "images": (["--images", "a"], ["--images", "b"]),
        "bundle": (["--images", "a"], ["--images", "a", "--bundle", "{other}"]),
        "variant": (["--images", "a"], ["--images", "a", "--variant", "fp32"]),
    },
    "bursts": {
        "images": (["--images", "a"], ["--images", "b"]),
        "bundle": (["--images", "a"], ["--images", "a", "--bundle", "{other}"]),
        "variant": (["--images", "a"], ["--images", "a", "--variant", "fp32"]),
        "count": (["--images", "a"], ["--images", "a", "--count", "5"]),
        "ladders": (["--images", "a"], ["--images", "a", "--ladders", "0"]),
    },
    "peers": {
        "bundle": ([], ["--bundle", "{other}"]),
        "photo": ([], ["--photo", "{album}/one.jpg"]),
        "network": ([], ["--network", "mine.py:build"]),
        "weights": ([], ["--weights", "mine.safetensors"]),
        "peers": ([], ["--peers", "niqe"]),
        "threads": ([], ["--threads", "2"]),
        "rounds": ([], ["--rounds", "7"]),
        "json": ([], ["--json", "{out}/peers.json"]),
        "csv": ([], ["--csv", "{out}/peers.csv"]),
        "plot_file": ([], ["--plot-file", "{out}/peers.svg"]),
    },
    "compare": {
        "before": (["{album}/fast.json", "{album}/fast.json"], ["{album}/slow.json", "{album}/fast.json"]),
        "after": (["{album}/fast.json", "{album}/fast.json"], ["{album}/fast.json", "{album}/slow.json"]),
        "margin": (["{album}/fast.json", "{album}/slow.json"],
                   ["{album}/fast.json", "{album}/slow.json", "--margin", "0.9"]),
    },
}  # fmt: skip
# command → what takes long or needs a device, and what stands in for it
STAND_INS: dict[str, dict[str, object]] = {
    "latency": {"open_device": nullcontext(), "make_engine": None, "measure": example()},
    "end-to-end": {"twelve_megapixels": None, "measure": "times"},
    "throughput": {"make_photo": None, "measure": [], "table": "rates"},
    "browser": {"twelve_megapixels": None, "measure": "times"},
    "roofline": {"measure": Measured(Peaks({}, {}), [], Interval(1, 1, 1), 0.5, Interval(0.5, 0.5, 0.5), "executorch"),
                 "LocalDevice": LocalDevice(), "text": "a roofline", "_load": []},
    "operators": {"operator_kinds": [OperatorKind("Convolution", 1, 1.0)]},
    "accuracy": {"measure_accuracy": [Agreement("pooled", 2, 0.5, (0.4, 0.6), 0.5, 0.5, 0.5, 0.1)]},
    "gate": {
        "values_of": np.zeros((1, 7)), "fit_gate": Gate(()), "refusals_of_gate": Refusals("gate", "", 1, 0, 1, 1),
        "refusals_of_metric": Refusals("metric", "", 1, 0, 1, 0), "laplacian_variances": np.zeros(1),
        "read_metric": np.zeros(1),
    },
    "consistency": {"measure_consistency": "figures"},
    "bursts": {
        "pristine_photos": [Path("photo.jpg")] * 400, "Scorer": "scorer",
        "measure_best_shots": "figures", "measure_ladder_picks": "ladders",
    },
    "peers": {"write_material": None, "measure": [PeerSamples("ours, int8 .pte", "this student", samples_ms=[1.0])]},
    "compare": {},
}  # fmt: skip


def function_of(command: str) -> tuple[ModuleType, Callable[..., int]]:
    name = command.replace("-", "_")
    module = importlib.import_module(f"benchmarks.commands.{name}")
    return module, getattr(module, name)


def flags_of_all_commands() -> list[tuple[str, str]]:
    return [(command, name) for command in COMMANDS for name in inspect.signature(function_of(command)[1]).parameters]


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    """A folder of two scored photos and two result files, and a bundle with another name and first golden photo."""
    default, other, album = Bundle.open(), tmp_path / "other", tmp_path / "album"
    shutil.copytree(default.root, other)
    golden = dict(list(default.golden.items())[1:])
    replace(default.manifest, name="another", golden=golden).write(other / "manifest.json")
    album.mkdir()
    for name, photo in zip(("one.jpg", "two.jpg"), default.golden):
        (album / name).write_bytes(default.read(photo))
    (album / "scores.csv").write_text("name,score,split\none.jpg,0.25,train\ntwo.jpg,0.75,test\n")
    for name, least in (("gate", 0.0), ("strict", 0.5)):
        Gate((Threshold("score", least, "poor"),)).write(album / f"{name}.json")
    example().write(album / "fast.json")
    example(1.5).write(album / "slow.json")
    return {"other": other, "album": album, "out": tmp_path / "out"}


@pytest.mark.parametrize(("command", "flag"), flags_of_all_commands())
def test_a_flag_changes_something(
    command: str, flag: str, places: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    module, _ = function_of(command)
    calls: list[str] = []

    def stand_in(name: str, answer: object) -> Callable[..., object]:
        def call(*given: object, **named: object) -> object:
            calls.append(f"{name}{[described(each) for each in (*given, *named.values())]}")
            return answer

        return call

    for name, answer in STAND_INS[command].items():
        monkeypatch.setattr(module, name, stand_in(name, answer))
    monkeypatch.setattr("benchmarks.commands.peers.ROOT", places["album"].parent / "peers")

    def ending(call: list[str]) -> tuple[object, ...]:
        calls.clear()
        monkeypatch.setattr(sys, "argv", ["benchmarks", command, *(part.format(**places) for part in call)])
        status = main()
        # What a command prints about its own call is no effect of a flag.
        printed = capsys.readouterr().out.partition("Measured")[0]
        written = sorted(path.name for path in places["out"].rglob("*")) if places["out"].exists() else []
        return status, printed, list(calls), written

    without, given = CASES[command][flag]
    assert ending(without) == ending(without) != ending(given)


_OWN = r"/tmp\w{8}\b|0x[0-9a-fA-F]+|\d{4}-\d\d-\d\dT[\d:+]+"


def described(value: object) -> str:
    """An argument, without what differs between any two calls: temporary folders, addresses in memory, the time."""
    if isinstance(value, Bundle):
        return value.label
    return "a function" if callable(value) else re.sub(_OWN, "", str(value))
