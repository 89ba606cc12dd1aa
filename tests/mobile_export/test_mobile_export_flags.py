"""Each flag of each command changes something; a mistake is one line and exit status 2."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from pathlib import Path

import pytest
import small_student
from conftest import MADE, as_built, shown_photos
from PIL import Image
from pocketiqa.bundle import Bundle

from distill.networks.tensors import save_tensors
from mobile_export.__main__ import COMMANDS, main
from mobile_export.artifacts import ARTIFACTS
from mobile_export.bundle.golden import golden_photos
from mobile_export.commands import agreement, build, diagnose, embed, gallery, golden, integration
from mobile_export.commands.build import BuildResult, Config

FLOAT_ALONE = tuple(name for name in ARTIFACTS if name != "fp32")


def of(command: str) -> list[str]:
    module = importlib.import_module(f"mobile_export.commands.{command}")
    return [field.name for field in dataclasses.fields(module.Config)]


@pytest.mark.parametrize("command", ["build", *COMMANDS])
def test_every_flag_has_a_test_of_its_own(command: str) -> None:
    tests = [name for name in globals() if name.startswith(f"test_{command}__")]
    assert not [flag for flag in of(command) if not any(f"__{flag}__" in name for name in tests)]


@pytest.fixture(scope="module")
def other_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the small student with another score head."""
    state = dict(small_student.small_student().state_dict())
    state["quality_head.bias"] = state["quality_head.bias"] + 1.0
    path = tmp_path_factory.mktemp("other") / "w.safetensors"
    save_tensors(state, path, {})
    return path


@pytest.fixture(scope="module")
def other_build(
    small_config: Config, other_weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, BuildResult]:
    """A build that differs from the shared one in network, weights, out and skip."""
    folder = tmp_path_factory.mktemp("build")
    network = folder / "renamed.py"
    network.write_text(Path(small_student.__file__).read_text().replace('name = "small"', 'name = "renamed"'))
    config = Config(f"{network}:build", other_weights, None, folder / "elsewhere", (*FLOAT_ALONE, "report"))
    return folder / "elsewhere", build.build(config, shown_photos()[:2], noise_inputs=0)


def test_build__network__names_the_bundle(other_build: tuple[Path, BuildResult], built: BuildResult) -> None:
    names = [Bundle.open(out).manifest.name for out in (other_build[0], built.out)]
    assert names == ["renamed", "small"]


def test_build__weights__give_the_scores(other_build: tuple[Path, BuildResult], built: BuildResult) -> None:
    first, second = (Bundle.open(out).golden for out in (other_build[0], built.out))
    photo = next(iter(first))
    assert first[photo]["fp32"][0] > second[photo]["fp32"][0] + 0.01


def test_build__out__is_where_the_bundle_is(other_build: tuple[Path, BuildResult]) -> None:
    out, result = other_build
    assert result.out == out and (out / "manifest.json").is_file()


def test_build__skip__leaves_out_and_says_so(other_build: tuple[Path, BuildResult]) -> None:
    _, result = other_build
    assert set(result.sizes) == {"fp32"}
    assert "report was left out on request (--skip)." in result.notes


def _built_with(config: Config, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the artifacts that ``config`` builds; nothing is built."""

    class Chosen(Exception):
        pass

    def sources(*_: object) -> None:
        raise Chosen

    found: list[str] = []
    choose = build.chosen
    with monkeypatch.context() as patch, pytest.raises(Chosen):
        patch.setattr(build, "chosen", lambda *given: found.extend(one.name for one in choose(*given)[0]) or ([], []))
        patch.setattr(build.Sources, "of", sources)
        build.build(config)
    return found


def test_build__also__all__build_what_is_not_built_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    default = [name for name, artifact in ARTIFACTS.items() if artifact.by_default]
    assert _built_with(Config(), monkeypatch) == default
    assert set(_built_with(Config(also=("onnx",)), monkeypatch)) == {*default, "onnx_fp32"}
    assert _built_with(Config(all=True), monkeypatch) == list(ARTIFACTS)


def test_build__verbose__shows_every_check_and_without_it_a_line_an_artifact(
    built: BuildResult, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(build, "build", lambda config: built)
    shown = []
    for config in (Config(), Config(verbose=True)):
        assert build.run(config) == 0
        shown.append(capsys.readouterr().out)
    short, long = shown
    assert all(len([line for line in short.splitlines() if line.startswith(one.name + " ")]) == 1 for one in MADE)
    assert "fp32 .pte" not in short and "OpenVINO" not in short.split("note:")[0]
    assert long.endswith(short) and all(check.candidate in long for check in built.checks)


def test_build__int8__belongs_to_its_weights(small_config: Config, other_weights: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(small_config, weights=other_weights, out=tmp_path / "b")
    with pytest.raises(ValueError, match="other float weights"):
        build.build(config, shown_photos()[:1], noise_inputs=0)
    with pytest.raises(FileNotFoundError, match="python -m quantize"):
        build.build(dataclasses.replace(small_config, int8=tmp_path / "none"), shown_photos()[:1])


def test_build__torch_free_python__is_the_one_that_is_tried(
    small_config: Config, built: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = tmp_path / "nowhere" / "python"
    monkeypatch.setattr(build, "chosen", lambda skip, also: (as_built(built, "fp32", "int8"), []))
    config = dataclasses.replace(small_config, out=tmp_path / "b", skip=("report",), torch_free_python=nowhere)
    result = build.build(config, shown_photos()[:1], noise_inputs=0)
    assert any(str(nowhere) in note for note in result.notes)


@pytest.fixture
def diagnosed(small_config: Config, built: BuildResult) -> diagnose.Config:
    return diagnose.Config(
        small_config.network, small_config.weights, small_config.int8, built.out, "coreml_fp16", shown_photos()[0]
    )


def test_diagnose__artifact__is_the_one_that_is_looked_into(diagnosed: diagnose.Config) -> None:
    assert [one.what for one in diagnose.diagnose(diagnosed)] == [
        "coreml_fp16 (interpreted): weights",
        "coreml_fp16 (interpreted): layers",
    ]
    assert diagnose.run(diagnosed) == 0


def test_diagnose__weights__are_the_reference(diagnosed: diagnose.Config, tmp_path: Path) -> None:
    state = dict(small_student.small_student().state_dict())
    state["map_head.weight"] = state["map_head.weight"] * 1.5
    save_tensors(state, tmp_path / "w.safetensors", {})
    weights, _ = diagnose.diagnose(dataclasses.replace(diagnosed, weights=tmp_path / "w.safetensors"))
    assert weights.first.name == "map_head"


def test_diagnose__network__is_the_reference(diagnosed: diagnose.Config) -> None:
    with pytest.raises(ValueError, match="network's weights"):
        diagnose.diagnose(dataclasses.replace(diagnosed, network="lite0"))


def test_diagnose__int8__is_the_reference_of_int8_artifacts(diagnosed: diagnose.Config, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none"):
        diagnose.diagnose(dataclasses.replace(diagnosed, artifact="coreml_w8a8", int8=tmp_path / "none"))


def test_diagnose__bundle__is_where_artifacts_are_read(diagnosed: diagnose.Config, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="python -m mobile_export"):
        diagnose.diagnose(dataclasses.replace(diagnosed, bundle=tmp_path))


def test_diagnose__photo__is_what_both_sides_see(diagnosed: diagnose.Config) -> None:
    seen = [
        [gap.reference_range for gap in diagnose.diagnose(dataclasses.replace(diagnosed, photo=photo))[1].gaps]
        for photo in shown_photos()[:2]
    ]
    assert seen[0] != seen[1]


@pytest.fixture
def agreeing(small_config: Config, built: BuildResult, tmp_path: Path) -> agreement.Config:
    folder = tmp_path / "photos"
    folder.mkdir()
    for photo in shown_photos()[:3]:
        (folder / photo.name).write_bytes(photo.read_bytes())
    return agreement.Config(
        folder, small_config.network, small_config.weights, small_config.int8, built.out, limit=2
    )


def test_agreement__images__limit__photos_are_counted_and_every_artifact_has_a_row(agreeing: agreement.Config) -> None:
    table = agreement.agreement_table(agreeing)
    assert table.startswith("n = 2 photos")
    assert all(artifact.step in table for artifact in MADE if artifact.open)
    assert "coreml_w8a8 in float32" in table


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"network": "lite0"}, "network's weights"),
        ({"int8": Path("nowhere.safetensors")}, "nowhere"),
        ({"bundle": Path("nowhere")}, "nowhere"),
        ({"images": Path("nowhere")}, "holds no photos"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_agreement__network__int8__bundle__are_what_is_read(
    agreeing: agreement.Config, changed: dict, error: str
) -> None:
    with pytest.raises(Exception, match=error) as raised:
        agreement.agreement_table(dataclasses.replace(agreeing, **changed))
    assert getattr(type(raised.value), "exit_status", 2) == 2


def test_agreement__weights__belong_to_the_int8_state(agreeing: agreement.Config, other_weights: Path) -> None:
    with pytest.raises(ValueError, match="other float weights"):
        agreement.agreement_table(dataclasses.replace(agreeing, weights=other_weights))


def test_embed__bundle__out__puts_int8_and_the_golden_photos_there(built: BuildResult, tmp_path: Path) -> None:
    assert embed.run(embed.Config(built.out, tmp_path / "inside")) == 0
    inside = Bundle.open(tmp_path / "inside")
    assert inside.manifest.name == "small" and set(inside.manifest.variants) == {"int8"}
    assert inside.problems() == [] and inside.golden


def test_gallery__out__is_a_picture(tmp_path: Path) -> None:
    assert gallery.run(gallery.Config(tmp_path / "new" / "g.png")) == 0
    assert Image.open(tmp_path / "new" / "g.png").width > 500


def test_golden__out__is_a_folder_of_photos(tmp_path: Path) -> None:
    assert golden.run(golden.Config(tmp_path)) == 0
    assert {path.name for path in tmp_path.glob("*.jpg")} == {path.name for path in golden_photos()}


def test_integration__out__holds_the_code_for_apps(tmp_path: Path) -> None:
    assert integration.run(integration.Config(tmp_path)) == 0
    made = {path.name for path in (tmp_path / "integration").rglob("Contract.*")}
    assert made == {"Contract.kt", "Contract.swift"}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["diagnose", "--artifact", "int8", "--bundle", "nowhere"], "python -m mobile_export"),
        (["agreement", "--images", "nowhere"], "holds no photos"),
        (["--weights", "nowhere.safetensors"], "nowhere"),
        (["--network", "nowhere.py:build"], "nowhere.py"),
        (["--int8", "nowhere.safetensors"], "python -m quantize"),
        (["embed", "--bundle", "nowhere"], "nowhere"),
    ],
    ids=["bundle", "photos", "weights", "network", "int8", "embed"],
)
def test_a_mistake_is_one_line_that_says_what_to_do(
    arguments: list[str], word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(sys, "argv", ["mobile_export", *arguments])
    monkeypatch.chdir(tmp_path)
    assert main() == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("python -m mobile_export") and word in last
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [["--skip", "tflite"], ["diagnose", "--artifact", "bpte"]])
def test_a_word_that_no_flag_takes_is_refused_with_the_words_that_it_takes(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(sys, "argv", ["mobile_export", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2 and "coreml_w8a8" in capsys.readouterr().err
