"""One bundle of the small student, built once, and what the files of this room take from it."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small_student

from benchmarks.browser import NoBrowser, find_chromium
from mobile_export.artifacts import ARTIFACTS, Artifact
from mobile_export.bundle.golden import golden_photos
from mobile_export.commands.build import BuildResult, Config, build
from mobile_export.graphs import FLOAT, INT8, Graphs, Int8Graphs, eager
from mobile_export.integration.web_page import FOLDER, RUNTIME
from mobile_export.lower.request import Delegation, Request
from mobile_export.verify.bounds import Scales
from mobile_export.verify.ladder import ParityLadder
from mobile_export.verify.rounding import Rounding
from tests.made_once import made_once

ALSO = ("onnx_fp32",)  # what the shared bundle has beside the default artifacts
MADE = [artifact for artifact in ARTIFACTS.values() if artifact.by_default or artifact.name in ALSO]
SHOWN = ("coffee", "flower", "rocket")  # the photographs that the report and the golden inputs need


@pytest.fixture(scope="session")
def small_config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """The small student's files, and a folder to build into; nothing is built yet."""
    folder = made_once(tmp_path_factory, "small", small_student.write_files)
    weights, int8 = small_student.files_in(folder)
    return Config(network=small_student.NETWORK, weights=weights, int8=int8, out=folder / "bundle")


def shown_photos() -> list[Path]:
    return [photo for photo in golden_photos() if photo.name.startswith(SHOWN)]


@pytest.fixture(scope="session")
def built(small_config: Config, tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """The small student's bundle with the artifacts ``MADE``, judged on three photographs' copies and one input of
    noise."""

    def make(folder: Path) -> None:
        result = build(replace(small_config, out=folder / "bundle", also=ALSO), shown_photos(), noise_inputs=1)
        (folder / "result").write_bytes(pickle.dumps(result))

    folder = made_once(tmp_path_factory, "built", make)
    result = pickle.loads((folder / "result").read_bytes())
    return replace(result, out=folder / "bundle")


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """The shipped student's bundle for ExecuTorch and ONNX Runtime, judged on three golden photos."""

    def make(folder: Path) -> None:
        coreml = tuple(name for name, artifact in ARTIFACTS.items() if artifact.runtime == "coreml")
        config = Config(out=folder / "bundle", skip=("bpte", *coreml, "report"))
        (folder / "result").write_bytes(pickle.dumps(build(config, shown_photos()[::4], noise_inputs=0)))

    folder = made_once(tmp_path_factory, "shipped", make)
    return replace(pickle.loads((folder / "result").read_bytes()), out=folder / "bundle")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Chromium's path, where all is here that runs a bundle in it."""
    try:
        found = find_chromium()
    except NoBrowser as error:
        pytest.skip(str(error))
    if not (FOLDER / RUNTIME).is_dir():
        pytest.skip(f"ONNX Runtime's wasm is not installed; run `npm install` in {FOLDER}")
    return found


def as_built(built: BuildResult, *names: str) -> list[Artifact]:
    """Artifacts whose lowering, which takes seconds, copies what ``built`` has."""

    def copying(artifact: Artifact) -> Artifact:
        def copy(request: Request) -> Delegation:
            shutil.copy(built.out / artifact.path, request.path)
            return Delegation(1, 1, 0)

        return replace(artifact, lower=copy)

    return [copying(ARTIFACTS[name]) for name in names]


@pytest.fixture(scope="session")
def judge() -> Callable[..., ParityLadder]:
    """Judges an artifact's file as the build does, on six photos; gives the ladder with its rows."""
    photos = small_student.photos()[:6]
    converted = small_student.exported_int8().module()
    graphs = Graphs(
        small_student.small_student(),
        small_student.exported_float(),
        Int8Graphs(small_student.prepared(), small_student.exported_int8(), None),
    )
    before = ParityLadder(photos)
    before.step(FLOAT, eager(small_student.small_student()))
    before.step(INT8, eager(converted))
    # The .pte's to the last digits, without building one.
    before.outputs[ARTIFACTS["fp32"].step] = before.outputs[FLOAT]
    rounding = Rounding.of(converted, photos, before.outputs[INT8])
    scales = Scales(float(np.std(before.outputs[FLOAT][:, 0])), rounding, small_student.PROMISE)

    def judged(artifact: Artifact, path: Path, notes: list[str] | None = None) -> ParityLadder:
        ladder = ParityLadder(photos)
        ladder.outputs, ladder.noise_outputs = dict(before.outputs), dict(before.noise_outputs)
        notes = [] if notes is None else notes
        artifact.check(artifact.subject(path, graphs, scales, ladder=ladder, notes=notes))
        return ladder

    return judged


@pytest.fixture(scope="session")
def fp16(built: BuildResult) -> Path:
    """The small student as float16 package."""
    pytest.importorskip("coremltools")
    return built.out / ARTIFACTS["coreml_fp16"].path


@pytest.fixture(scope="session")
def w8a8(built: BuildResult) -> Path:
    """The small student as W8A8 package."""
    pytest.importorskip("coremltools")
    return built.out / ARTIFACTS["coreml_w8a8"].path


@pytest.fixture(scope="session")
def int8(built: BuildResult) -> Path:
    """The small student's int8 program for XNNPACK."""
    return built.out / ARTIFACTS["int8"].path
