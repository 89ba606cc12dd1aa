"""The whole line on the shipped student: what a bundle holds, and that broken input never replaces a good one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pocketiqa.bundle import DEFAULT_BUNDLE, Bundle
from pocketiqa.check_input import check_input, read_tensor
from pocketiqa.scorer import Scorer

from distill.networks.student import ATTRIBUTES, SHIPPED_STUDENT
from mobile_export import build as building
from mobile_export.build import BuildConfig, BuildResult, broken_folder, build
from mobile_export.bundle.embed import embed
from mobile_export.bundle.golden import golden_photos
from mobile_export.verify.ladder import BrokenRung, Ladder

SHOWN = ("coffee", "flower", "rocket")  # the photographs that the report and the golden inputs need
# Each of these is verified on the small student, by the same functions; a build of everything takes minutes.
ELSEWHERE = ("fp16", "vulkan", "coreml_fp16", "coreml_w8a8", "coreml_int8_weights", "coreml_palettized", "coreml_pte")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, BuildResult]]:
    """The one build of the suite, judged on three photographs' copies and one input of noise."""
    out = tmp_path_factory.mktemp("dist") / "bundle"
    with pytest.MonkeyPatch.context() as patch:
        shown = [photo for photo in golden_photos() if photo.name.startswith(SHOWN)]
        patch.setattr(building, "golden_photos", lambda: shown)
        patch.setattr(building, "_NOISE", 1)
        yield out, build(BuildConfig(out=out, skip=ELSEWHERE))


@pytest.mark.slow
def test_every_rung_holds_on_photos_and_on_noise(built: tuple[Path, BuildResult]) -> None:
    _, result = built
    assert all(rung.holds for rung in result.rungs)
    verified = {(rung.candidate, rung.inputs) for rung in result.rungs}
    assert {(step, on) for step in ("fp32 .pte", "int8 .pte") for on in ("photos", "noise")} <= verified
    assert ("int8 .bpte", "bundled cases") in verified


@pytest.mark.slow
def test_each_program_is_one_delegated_subgraph_and_int8_is_small(built: tuple[Path, BuildResult]) -> None:
    _, result = built
    artifacts = {name: (size, subgraphs) for name, size, subgraphs in result.artifacts}
    assert artifacts["int8"][1] == artifacts["fp32"][1] == 1
    assert artifacts["int8"][0] <= 5_000_000 < artifacts["fp32"][0]


@pytest.mark.slow
def test_what_was_left_out_is_said_in_words(built: tuple[Path, BuildResult]) -> None:
    out, result = built
    for variant in ELSEWHERE:
        assert any(note.startswith(f"{variant} was left out") for note in result.notes), variant
    assert any("No device took part" in note for note in Bundle.open(out).manifest.notes)
    assert "vulkan was left out" in (out / "report.html").read_text()


@pytest.mark.slow
def test_the_sdk_opens_the_bundle_and_finds_every_file_as_promised(built: tuple[Path, BuildResult]) -> None:
    out, _ = built
    bundle = Bundle.open(out)
    assert bundle.problems() == []
    assert set(bundle.manifest.variants) == {"fp32", "int8"}
    assert bundle.manifest.attribute_names == ATTRIBUTES
    extras = {"report.html", "xnnpack/student_int8.bpte", "integration/PocketIqa.kt", "inputs/wall.npy"}
    assert extras <= set(bundle.manifest.files)
    photo = next(iter(bundle.golden))
    result = Scorer(out)(out / photo)
    assert result.score == pytest.approx(bundle.golden[photo]["int8"][0], abs=1e-5)


@pytest.mark.slow
def test_a_golden_tensor_is_right_but_for_its_type(built: tuple[Path, BuildResult]) -> None:
    bundle = Bundle.open(built[0])
    tensor = read_tensor(bundle.root / "inputs/wall.npy", bundle.manifest.input)
    assert check_input(bundle, (tensor / 255).astype(np.float32)).mistakes == []
    assert "uint8, where float32 belongs" in str(check_input(bundle, tensor, bundle.root / "inputs/wall.jpg"))


@pytest.mark.slow
def test_the_report_needs_no_other_file(built: tuple[Path, BuildResult]) -> None:
    page = (built[0] / "report.html").read_text()
    for outside in ("http://", "https://", "<script", "<link", 'src="/', "url("):
        assert outside not in page.replace("http://www.w3.org", ""), outside
    assert page.count("data:image") >= 8 and "Bland–Altman" in page and "fp32 .pte" in page


@pytest.mark.slow
def test_the_embedded_program_is_what_this_checkout_builds_byte_by_byte(
    built: tuple[Path, BuildResult], tmp_path: Path
) -> None:
    fresh = Bundle.open(embed(built[0], tmp_path / "default"))
    committed = Bundle.open(DEFAULT_BUNDLE)
    assert fresh.problems() == committed.problems() == []
    assert fresh.manifest.files.items() <= committed.manifest.files.items()
    assert "xnnpack/student_int8.pte" in fresh.manifest.files
    assert sum(path.stat().st_size for path in DEFAULT_BUNDLE.rglob("*") if path.is_file()) < 5_000_000


def test_the_embedded_bundles_ladder_held_on_24_photos_for_core_ml_too() -> None:
    rungs = Bundle.open().manifest.parity
    assert all(rung["holds"] for rung in rungs)
    steps = " ".join(rung["candidate"] for rung in rungs)
    assert all(variant in steps for variant in ("fp32 .pte", "int8 .pte", "coreml_fp16", "coreml_w8a8"))
    assert all(rung["n"] >= 24 for rung in rungs if rung.get("inputs", "photos") == "photos")


def test_a_broken_rung_keeps_the_old_bundle_and_what_was_built_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Breaking:
        def __init__(self, config: BuildConfig, root: Path, stage: object) -> None:
            self.root = root

        def run(self) -> None:
            (self.root / "half").write_text("built")
            ladder = Ladder([np.zeros(1)])
            ladder.step("good", lambda _: np.zeros((1, 7)))
            ladder.step("bad", lambda _: np.ones((1, 7)))
            ladder.rung("good", "bad", building.SAME_GRAPH)

    monkeypatch.setattr(building, "_Build", Breaking)
    out = tmp_path / "bundle"
    out.mkdir()
    (out / "old").write_text("kept")
    with pytest.raises(BrokenRung, match="good ↔ bad"):
        build(BuildConfig(out=out))
    assert (out / "old").read_text() == "kept" and not (out / "half").exists()
    assert (broken_folder(out) / "half").read_text() == "built"


def test_a_student_without_its_quantized_state_is_a_clear_error_and_leaves_the_old_bundle(tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    out.mkdir()
    (out / "old").write_text("kept")
    command = [sys.executable, "-m", "mobile_export", "--out", str(out), "--int8", str(tmp_path / "none.safetensors")]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=SHIPPED_STUDENT.parents[2])
    assert result.returncode == 2
    assert "python -m quantize" in result.stderr and "Traceback" not in result.stderr
    assert (out / "old").read_text() == "kept"
