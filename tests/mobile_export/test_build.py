"""The whole line on the shipped student: what a bundle holds, and that broken input never replaces a good one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pocketiqa.bundle import DEFAULT_BUNDLE, Bundle
from pocketiqa.scorer import Scorer

from distill.student import ATTRIBUTES, SHIPPED_STUDENT
from mobile_export.build import BuildConfig, BuildResult, build
from mobile_export.embed import embed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, BuildResult]:
    out = tmp_path_factory.mktemp("dist") / "bundle"
    return out, build(BuildConfig(out=out))


def test_every_rung_of_every_artifact_holds_on_the_golden_photos(built: tuple[Path, BuildResult]) -> None:
    _, result = built
    assert [rung for rung in result.rungs if not rung.holds] == []
    verified = {rung.candidate for rung in result.rungs}
    assert {"fp32 .pte", "int8 .pte", "coreml_fp16 (interpreted)", "coreml_w8a8 (interpreted)"} <= verified
    assert all(rung.n >= 24 for rung in result.rungs)


def test_each_program_is_one_delegated_subgraph_and_int8_is_small(built: tuple[Path, BuildResult]) -> None:
    _, result = built
    artifacts = {name: (size, subgraphs) for name, size, subgraphs in result.artifacts}
    assert artifacts["int8"][1] == artifacts["fp32"][1] == 1
    assert artifacts["int8"][0] <= 5_000_000 < artifacts["fp32"][0]


def test_the_sdk_opens_the_bundle_and_finds_every_file_as_promised(built: tuple[Path, BuildResult]) -> None:
    out, _ = built
    bundle = Bundle.open(out)
    assert bundle.problems() == []
    assert set(bundle.manifest.variants) == {"fp32", "int8", "coreml_fp16", "coreml_w8a8"}
    assert bundle.manifest.attribute_names == ATTRIBUTES
    result = Scorer(out)(next(out.glob("golden/coffee-clean.jpg")))
    assert result.score == pytest.approx(bundle.golden["golden/coffee-clean.jpg"]["int8"][0], abs=1e-5)


def test_two_builds_give_the_same_bytes(built: tuple[Path, BuildResult], tmp_path: Path) -> None:
    out, _ = built
    build(BuildConfig(out=tmp_path / "again"))
    first, second = (Bundle.open(path).manifest.files for path in (out, tmp_path / "again"))
    assert {name for name in first if first[name].sha256 != second[name].sha256} == set()


def test_the_embedded_bundle_is_the_shipped_students(built: tuple[Path, BuildResult], tmp_path: Path) -> None:
    out, _ = built
    fresh = Bundle.open(embed(out, tmp_path / "default"))
    committed = Bundle.open(DEFAULT_BUNDLE)
    assert fresh.problems() == committed.problems() == []
    assert fresh.manifest.files == committed.manifest.files
    assert sum(path.stat().st_size for path in DEFAULT_BUNDLE.rglob("*") if path.is_file()) < 5_000_000


def test_a_student_without_its_quantized_state_is_a_clear_error_and_leaves_the_old_bundle(tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    out.mkdir()
    (out / "old").write_text("kept")
    command = [sys.executable, "-m", "mobile_export", "--out", str(out), "--int8", str(tmp_path / "none.safetensors")]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=SHIPPED_STUDENT.parents[2])
    assert result.returncode == 2
    assert "python -m quantize" in result.stderr and "Traceback" not in result.stderr
    assert (out / "old").read_text() == "kept"
