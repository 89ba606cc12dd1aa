"""The whole line: what a bundle holds, and that broken input never replaces a good one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import small_student
import torch
from conftest import MADE, as_built, shown_photos
from pocketiqa.bundle import DEFAULT_BUNDLE, Bundle
from pocketiqa.check_input import check_input, read_tensor
from pocketiqa.errors import BundleError
from pocketiqa.files import sha256_of
from pocketiqa.promises import Promise
from pocketiqa.scorer import Scorer

from distill.contract import ContractError
from mobile_export import artifacts
from mobile_export.artifacts import ARTIFACTS, COREML_FP16, XNNPACK_INT8, chosen
from mobile_export.commands import build as building
from mobile_export.commands.build import BuildResult, Config, broken_folder, build
from mobile_export.commands.embed import embed
from mobile_export.lower.request import Run
from mobile_export.operators import check_operators
from mobile_export.verify import package_checks
from mobile_export.verify.ladder import BrokenParityCheck
from mobile_export.verify.mil_reference import MilProgram, UnknownOperator

COREML = tuple(name for name in ARTIFACTS if name.startswith("coreml"))


def test_every_artifact_is_built_and_every_check_holds_on_photos_and_on_noise(built: BuildResult) -> None:
    assert set(built.sizes) == {artifact.name for artifact in MADE if artifact.is_variant}
    assert all(check.holds for check in built.checks)
    verified = {(check.candidate, check.inputs) for check in built.checks}
    outputs = {(artifact.step, on) for artifact in MADE if artifact.open for on in ("photos", "noise")}
    assert outputs <= verified
    assert ("int8 .bpte", "bundled cases") in verified
    assert {(ARTIFACTS[name].step, on) for name in COREML[:2] for on in ("weights", "layers")} <= verified


def test_each_program_is_one_delegated_subgraph_and_int8_is_small(built: BuildResult) -> None:
    assert built.sizes["int8"][1] == built.sizes["fp32"][1] == 1
    assert built.sizes["int8"][0] < built.sizes["fp32"][0]


def test_int8_is_held_to_the_bundles_promise_in_every_place(built: BuildResult) -> None:
    promise = Bundle.open(built.out).manifest.promise.on_golden_photos()
    held = [check.candidate for check in built.checks if f"SRCC ≥ {promise.srcc:g}" in check.bound]
    assert held == ["prepared", "int8 .pte", "int8 .onnx"]


def test_the_sdk_opens_the_bundle_and_finds_every_file_as_promised(built: BuildResult) -> None:
    bundle = Bundle.open(built.out)
    assert bundle.problems() == []
    assert bundle.manifest.name == "small"
    assert bundle.manifest.attribute_names == small_student.SmallStudent.attributes
    assert bundle.manifest.outputs["map"]["shape"] == list(small_student.SmallStudent.map_shape)
    extras = {"report.html", "xnnpack/student_int8.bpte", "inputs/wall.npy", "web/index.html"}
    extras |= {"integration/android/build.gradle.kts", "integration/apple/Package.swift"}
    assert extras <= set(bundle.manifest.files)
    photo = next(iter(bundle.golden))
    result = Scorer(built.out)(built.out / photo)
    assert result.score == pytest.approx(bundle.golden[photo]["int8"][0], abs=1e-5)


def test_a_golden_tensor_is_right_but_for_its_type(built: BuildResult) -> None:
    bundle = Bundle.open(built.out)
    tensor = read_tensor(bundle.root / "inputs/wall.npy", bundle.manifest.input)
    assert check_input(bundle, (tensor / 255).astype(np.float32)).mistakes == []
    assert "uint8, where float32 belongs" in str(check_input(bundle, tensor, bundle.root / "inputs/wall.jpg"))


def test_the_report_needs_no_other_file(built: BuildResult) -> None:
    page = (built.out / "report.html").read_text()
    for outside in ("http://", "https://", "<script", "<link", 'src="/', "url("):
        assert outside not in page.replace("http://www.w3.org", ""), outside
    assert page.count("data:image") >= 8 and "Bland–Altman" in page and "fp32 .pte" in page


def test_the_pages_name_every_artifact_and_say_that_no_device_took_part(built: BuildResult) -> None:
    for page in ("report.html", "README.md"):
        text = (built.out / page).read_text()
        assert all(artifact.step in text for artifact in MADE), page
        assert "No device took part" in text


def test_what_was_left_out_is_said_in_words() -> None:
    found, notes = chosen(skip=("int8", "coreml_pte"))
    optional = [name for name, artifact in ARTIFACTS.items() if not artifact.by_default]
    assert [artifact.name for artifact in found] == ["fp32", "onnx_int8", "coreml_fp16", "coreml_w8a8"]
    assert notes == [
        "int8 was left out on request (--skip).",
        "bpte was left out: it needs int8.",
        "coreml_pte was left out on request (--skip).",
        f"Not built by default, but with --all or by name with --with: {', '.join(optional)}.",
    ]


def test_a_platform_without_coremltools_builds_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts.importlib.util, "find_spec", lambda name: None)
    found, notes = chosen(skip=())
    assert [artifact.name for artifact in found] == ["fp32", "int8", "bpte", "onnx_int8"]
    assert "coreml_fp16 was not built: coremltools does not exist for this platform." in notes


def test_an_operator_that_a_backend_lacks_ends_the_build_with_what_to_do() -> None:
    class Polygamma(small_student.SmallStudent):
        def forward(self, photo: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            quality, local = super().forward(photo)
            return torch.special.polygamma(1, quality), local

    exported = torch.export.export(Polygamma().eval(), (torch.rand(1, 3, 128, 160),))
    with pytest.raises(ContractError, match=r"coreml_fp16 does not take .*polygamma.*--skip coreml_fp16"):
        check_operators("mine", exported, [XNNPACK_INT8, COREML_FP16])


@pytest.mark.slow
def test_an_operator_that_only_the_interpreter_lacks_leaves_a_row_that_says_so(
    small_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(path: Path) -> MilProgram:
        raise UnknownOperator("cumsum", "total", str(path))

    monkeypatch.setattr(package_checks.MilProgram, "read", read)
    config = dataclasses.replace(small_config, out=tmp_path / "b", skip=("int8", "coreml_w8a8", "coreml_pte"))
    result = build(config, shown_photos()[:2], noise_inputs=0)
    row = result.checks[-1]
    assert row.verdict == "not run" and "not executed here" in row.bound and "cumsum" in row.bound
    assert any(note.startswith("coreml_fp16 was built and not executed here") for note in result.notes)
    assert Bundle.open(result.out).has("coreml_fp16")
    assert "not executed here" in (result.out / "README.md").read_text()


def test_a_file_that_changes_while_the_bundle_is_built_ends_it(
    small_config: Config, built: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw_and_damage(bundle: building.BundleWriter, *_: object) -> str:
        with (bundle.root / XNNPACK_INT8.path).open("ab") as file:
            file.write(b"0")
        return "<html></html>"

    monkeypatch.setattr(building, "draw_report", draw_and_damage)
    monkeypatch.setattr(building, "chosen", lambda skip, also: (as_built(built, "fp32", "int8"), []))
    config = dataclasses.replace(small_config, out=tmp_path / "b")
    with pytest.raises(BundleError, match=r"changed while .*student_int8\.pte"):
        build(config, shown_photos()[:2], noise_inputs=0)
    assert not config.out.exists()


def test_a_broken_check_keeps_the_old_bundle_and_what_was_built_beside_it(
    small_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "bundle"
    out.mkdir()
    (out / "old").write_text("kept")

    def open_and_feed_wrongly(path: Path) -> Run:
        run = ARTIFACTS["fp32"].open(path)
        return lambda views: run(1.0 - views)

    damaged = dataclasses.replace(ARTIFACTS["fp32"], open=open_and_feed_wrongly)
    monkeypatch.setattr(building, "chosen", lambda skip, also: ([damaged], []))
    with pytest.raises(BrokenParityCheck, match=r"eager float ↔ fp32 \.pte.*diagnose --bundle \S+bundle\.broken"):
        build(dataclasses.replace(small_config, out=out), shown_photos()[:2], noise_inputs=0)
    assert [path.name for path in out.iterdir()] == ["old"]
    assert sha256_of(broken_folder(out) / ARTIFACTS["fp32"].path)


def test_int8_that_breaks_its_promise_is_refused_before_anything_is_built_and_the_cure_is_quantizings(
    small_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building.Sources, "promise", Promise(max_abs=0.0))
    config = dataclasses.replace(small_config, out=tmp_path / "bundle")
    with pytest.raises(BrokenParityCheck, match=r"prepared .*nothing was built; quantize it anew, .*--keep-float"):
        build(config, shown_photos()[:2], noise_inputs=0)
    assert not list(tmp_path.iterdir())


def test_the_embedded_bundles_ladder_held_on_24_photos_for_core_ml_too() -> None:
    checks = Bundle.open().manifest.parity
    assert all(check["holds"] for check in checks)
    steps = " ".join(check["candidate"] for check in checks)
    assert all(variant in steps for variant in ("fp32 .pte", "int8 .pte", "coreml_fp16", "coreml_w8a8"))
    assert all(check["n"] >= 24 for check in checks if check.get("inputs", "photos") == "photos")


@pytest.mark.slow
def test_the_embedded_program_is_what_this_checkout_builds_byte_by_byte(
    shipped: BuildResult, tmp_path: Path
) -> None:
    assert shipped.sizes["int8"][0] <= 5_000_000 < shipped.sizes["fp32"][0]
    fresh = Bundle.open(embed(shipped.out, tmp_path / "default"))
    committed = Bundle.open(DEFAULT_BUNDLE)
    assert fresh.problems() == committed.problems() == []
    assert fresh.manifest.files.items() <= committed.manifest.files.items()
    assert "xnnpack/student_int8.pte" in fresh.manifest.files
    assert sum(path.stat().st_size for path in DEFAULT_BUNDLE.rglob("*") if path.is_file()) < 5_000_000
