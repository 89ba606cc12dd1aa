"""Core AI models: the graph's own numbers, the same bytes every time, and every damage found by Apple's runtime."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small_student
import torch

from mobile_export.artifacts import COREAI_FP32, COREAI_INT8, Artifact
from mobile_export.graphs import FLOAT
from mobile_export.lower.coreai import PROGRAM, open_coreai, unsupported_by_coreai, write_coreai
from mobile_export.lower.request import Request
from mobile_export.verify.ladder import BrokenParityCheck
from tests.made_once import made_once

pytest.importorskip("coreai_torch")

PHOTOS = small_student.photos()[:6]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the small student in both precisions."""

    def make(folder: Path) -> None:
        for artifact, graph in _graphs().items():
            path = folder / artifact.path
            path.parent.mkdir(exist_ok=True)
            write_coreai(Request(graph, {"variant": artifact.name}, path, PHOTOS))

    return made_once(tmp_path_factory, "coreai", make)


def _graphs() -> dict[Artifact, torch.export.ExportedProgram]:
    return {COREAI_FP32: small_student.exported_float(), COREAI_INT8: small_student.exported_int8()}


@pytest.fixture
def damage(models: Path, judge: Callable, tmp_path: Path) -> Callable[[Artifact, Callable[[str], str]], object]:
    """Damages a copy of a sound model, whose program it is given as text, and gives the check that finds it."""
    from coreai.authoring import AIModelAsset, AIProgram
    from coreai.authoring.context import Context

    def found_by(artifact: Artifact, change: Callable[[str], str]) -> object:
        program = AIModelAsset.load(models / artifact.path).program
        text = str(program._module._mlir_module)
        changed = change(text)
        assert changed != text
        with Context()._mlir_context:
            parsed = type(program._module._mlir_module).parse(changed)
        AIProgram._from_mlir_module(parsed).save_asset(tmp_path / "damaged.aimodel")
        with pytest.raises(BrokenParityCheck) as broken:
            judge(replace(artifact, photos=1), tmp_path / "damaged.aimodel")
        return broken.value.check

    return found_by


def _operand(text: str, operator: str, number: int, place: int) -> str:
    """Name of an operand of the ``number``-th operator of its kind."""
    return re.findall(rf"= coreai\.{operator} (.+?) :", text)[number].split(", ")[place]


def _change_scalar(text: str, name: str, change: Callable[[float], object]) -> str:
    return re.sub(
        rf"(  {name} = coreai\.constant dense<)(\S+?)(>)", lambda m: f"{m[1]}{change(float(m[2]))}{m[3]}", text, count=1
    )


def _change_weight(text: str, operand: str, change: Callable[[np.ndarray], np.ndarray]) -> str:
    """Change a large constant, behind the operator that dequantizes it where one does."""
    if codes := re.search(rf"  {operand} = coreai\.dequantize (%\d+),", text):
        operand = codes[1]
    name, shape, kind = re.search(
        rf"  {operand} = coreai\.constant dense_resource<(\w+)> : tensor<([\dx]+)x(si8|f32)>", text
    ).groups()

    def anew(found: re.Match) -> str:
        content = bytes.fromhex(found[2])
        values = np.frombuffer(content[4:], np.int8 if kind == "si8" else np.float32)
        changed = change(values.reshape([int(size) for size in shape.split("x")]).copy())
        return f'{found[1]}{(content[:4] + np.ascontiguousarray(changed).tobytes()).hex().upper()}"'

    return re.sub(rf'( {name}: "0x)([0-9A-F]+)"', anew, text)


@pytest.mark.parametrize("artifact", _graphs(), ids=lambda artifact: artifact.name)
def test_a_sound_model_holds_every_check(artifact: Artifact, models: Path, judge: Callable) -> None:
    rows = judge(artifact, models / artifact.path).checks
    numbers = ["weights", "scales"] if artifact is COREAI_INT8 else []
    assert [row.inputs for row in rows] == [*numbers, *["photos"] * len(artifact.compared)]
    assert {row.n for row in rows if row.inputs == "photos"} == {artifact.photos}


@pytest.mark.parametrize("artifact", _graphs(), ids=lambda artifact: artifact.name)
def test_a_model_says_what_it_is_and_nothing_of_this_machine_or_day(artifact: Artifact, models: Path) -> None:
    content = (models / artifact.path / PROGRAM).read_bytes()
    assert b".py" not in content and str(Path.cwd()).encode() not in content and b"small_student" not in content
    metadata = json.loads((models / artifact.path / "metadata.json").read_text())
    assert "creationDate" not in metadata
    assert json.loads(metadata["creatorDefinedMetadata"]["pocketiqa"]) == {"variant": artifact.name}


def test_the_same_graph_gives_the_same_bytes(models: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.aimodel"
    write_coreai(Request(small_student.exported_int8(), {"variant": COREAI_INT8.name}, again, PHOTOS))
    first = models / COREAI_INT8.path
    assert {path.name: path.read_bytes() for path in first.iterdir()} == {
        path.name: path.read_bytes() for path in again.iterdir()
    }


def test_int8_weights_take_a_quarter(models: Path) -> None:
    sizes = [(models / artifact.path / PROGRAM).stat().st_size for artifact in (COREAI_FP32, COREAI_INT8)]
    assert sizes[1] < 0.5 * sizes[0]


def test_a_scale_off_by_one_percent_breaks_the_scales(damage: Callable) -> None:
    check = damage(
        COREAI_INT8, lambda text: _change_scalar(text, _operand(text, "quantize", 3, 1), lambda scale: scale * 1.01)
    )
    assert check.inputs == "scales"


def test_a_zero_point_off_by_one_breaks_the_scales(damage: Callable) -> None:
    check = damage(
        COREAI_INT8, lambda text: _change_scalar(text, _operand(text, "quantize", 2, 2), lambda zero: int(zero) + 1)
    )
    assert check.inputs == "scales"


def test_one_int8_weight_off_by_one_breaks_the_weights(damage: Callable) -> None:
    def add_one(weight: np.ndarray) -> np.ndarray:
        weight.reshape(-1)[np.abs(weight).argmin()] += 1
        return weight

    check = damage(COREAI_INT8, lambda text: _change_weight(text, _operand(text, "conv2d", 4, 1), add_one))
    assert check.inputs == "weights"


def test_the_largest_float_weight_off_by_one_percent_breaks_the_outputs(damage: Callable) -> None:
    def grow(weight: np.ndarray) -> np.ndarray:
        weight.reshape(-1)[np.abs(weight).argmax()] *= 1.01
        return weight

    check = damage(COREAI_FP32, lambda text: _change_weight(text, _operand(text, "conv2d", 0, 1), grow))
    assert check.inputs == "photos"


@pytest.mark.parametrize(("artifact", "found"), [(COREAI_INT8, "weights"), (COREAI_FP32, "photos")])
def test_blue_read_as_red_breaks_the_first_convolution(artifact: Artifact, found: str, damage: Callable) -> None:
    check = damage(
        artifact, lambda text: _change_weight(text, _operand(text, "conv2d", 0, 1), lambda weight: weight[:, ::-1])
    )
    assert check.inputs == found


def test_swapped_attribute_heads_break_the_outputs_though_the_score_is_right(damage: Callable) -> None:
    def do(text: str) -> str:
        (head,) = set(re.findall(r"(%\d+) = coreai\.constant dense_resource<\w+> : tensor<7x40xf32>", text))
        return _change_weight(text, head, lambda weight: weight[[0, 2, 1, 3, 4, 5, 6]])

    check = damage(COREAI_FP32, do)
    assert check.inputs == "photos" and check.mean_abs < 1e-6 < check.max_abs


@pytest.mark.parametrize(
    "mistaken",
    [lambda x: np.ascontiguousarray(x.transpose(0, 2, 3, 1)).reshape(x.shape), lambda x: x[:, ::-1]],
    ids=["channels-last", "BGR"],
)
def test_a_model_fed_wrongly_breaks_its_outputs(mistaken: Callable, models: Path, judge: Callable) -> None:
    fed = replace(COREAI_FP32, photos=1, open=lambda path: lambda views: open_coreai(path)(mistaken(views)))
    with pytest.raises(BrokenParityCheck, match=f"{FLOAT} ↔ fp32 .aimodel on photos"):
        judge(fed, models / COREAI_FP32.path)


@pytest.mark.parametrize("artifact", _graphs(), ids=lambda artifact: artifact.name)
def test_a_program_that_is_cut_short_is_refused_in_words(
    artifact: Artifact, models: Path, judge: Callable, tmp_path: Path
) -> None:
    broken = Path(shutil.copytree(models / artifact.path, tmp_path / "broken.aimodel"))
    (broken / PROGRAM).write_bytes((broken / PROGRAM).read_bytes()[:2000])
    with pytest.raises(BrokenParityCheck, match=r"its runtime refuses it: broken\.aimodel/main\.mlirb is not what"):
        judge(artifact, broken)


def test_an_operator_that_core_ai_lacks_is_named() -> None:
    class Bessel(torch.nn.Module):
        def forward(self, photo: torch.Tensor) -> tuple[torch.Tensor]:
            return (torch.special.airy_ai(photo).mean((1, 2, 3))[:, None],)

    exported = torch.export.export(Bessel(), (torch.rand(1, 3, 32, 32),))
    assert unsupported_by_coreai(exported) == ["aten.special_airy_ai.default"]
    assert unsupported_by_coreai(small_student.exported_float()) == []
