"""ONNX files: the graph's own numbers, the same bytes every time, and every damage found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import small_student
import torch
from onnx.numpy_helper import from_array, to_array

from mobile_export.artifacts import ARTIFACTS, ONNX_FP32, ONNX_INT8, Artifact
from mobile_export.commands.build import BuildResult
from mobile_export.graphs import Graphs, Int8Graphs
from mobile_export.lower.onnx_model import OPSET, open_onnx, unsupported_by_onnx, write_onnx
from mobile_export.lower.request import Request
from mobile_export.verify import onnx_checks
from mobile_export.verify.bounds import Scales
from mobile_export.verify.ladder import BrokenParityCheck, ParityLadder
from mobile_export.verify.onnx_checks import check_onnx
from mobile_export.verify.rounding import Rounding

PHOTOS = small_student.photos()[:6]


def _run(network: Callable) -> Callable[[np.ndarray], np.ndarray]:
    def run(views: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return network(torch.from_numpy(np.ascontiguousarray(views)))[0].numpy()

    return run


@pytest.fixture(scope="module")
def check(built: BuildResult) -> Callable[..., None]:
    """Judges a file as the build does."""
    int8 = Int8Graphs(small_student.prepared(), small_student.exported_int8(), None)
    graphs = Graphs(small_student.small_student(), small_student.exported_float(), int8)
    before = ParityLadder(PHOTOS)
    before.step("eager float", _run(small_student.small_student()))
    before.step("converted int8", _run(small_student.exported_int8().module()))
    before.step("fp32 .pte", ARTIFACTS["fp32"].open(built.out / ARTIFACTS["fp32"].path))
    rounding = Rounding.of(small_student.exported_int8().module(), PHOTOS, before.outputs["converted int8"])
    scales = Scales(float(np.std(before.outputs["eager float"][:, 0])), rounding, small_student.PROMISE)

    def judge(artifact: Artifact, path: Path, notes: list[str] | None = None) -> None:
        ladder = ParityLadder(PHOTOS)
        ladder.outputs, ladder.noise_outputs = dict(before.outputs), dict(before.noise_outputs)
        check_onnx(artifact.subject(path, graphs, scales, ladder=ladder, notes=[] if notes is None else notes))

    return judge


@pytest.fixture
def damage(
    built: BuildResult, check: Callable[..., None], tmp_path: Path
) -> Callable[[Artifact, Callable[[onnx.ModelProto], None]], str]:
    """Damages a copy of a sound file, and names the check that finds it."""

    def found_by(artifact: Artifact, do: Callable[[onnx.ModelProto], None]) -> str:
        sound, path = built.out / artifact.path, tmp_path / "damaged.onnx"
        check(artifact, sound)
        model = onnx.load(str(sound))
        do(model)
        path.write_bytes(model.SerializeToString())
        with pytest.raises(BrokenParityCheck) as broken:
            check(artifact, path)
        return broken.value.check.inputs

    return found_by


def _change(model: onnx.ModelProto, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    (tensor,) = (one for one in model.graph.initializer if one.name == name)
    tensor.CopyFrom(from_array(change(to_array(tensor).copy()), name))


def _nodes(model: onnx.ModelProto, kind: str) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type == kind]


@pytest.mark.parametrize("artifact", [ONNX_FP32, ONNX_INT8], ids=lambda artifact: artifact.name)
def test_a_file_says_what_it_is_and_nothing_of_this_machine(artifact: Artifact, built: BuildResult) -> None:
    content = (built.out / artifact.path).read_bytes()
    model = onnx.load_from_string(content)
    assert [(one.domain, one.version) for one in model.opset_import] == [("", OPSET)]
    assert [value.name for value in model.graph.input] == ["photo"]
    assert [value.name for value in model.graph.output] == ["quality", "map"]
    (metadata,) = model.metadata_props
    assert json.loads(metadata.value)["variant"] == artifact.name
    assert b"stack_trace" not in content and b".py" not in content and str(Path.cwd()).encode() not in content


def test_the_same_graph_gives_the_same_bytes(tmp_path: Path) -> None:
    graph = small_student.exported_int8()
    for name in ("first", "second"):
        write_onnx(Request(graph, {"b": 1, "a": 2}, tmp_path / name, PHOTOS))
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_int8_rounds_where_the_graph_rounds(built: BuildResult) -> None:
    model = onnx.load(str(built.out / ONNX_INT8.path))
    in_graph = [node for node in small_student.exported_int8().graph.nodes if ".quantize_per_t" in str(node.target)]
    assert len(_nodes(model, "QuantizeLinear")) == len(in_graph) > 0
    weights = {one.name: one for one in model.graph.initializer}
    assert all(weights[node.input[0]].data_type == onnx.TensorProto.INT8 for node in _nodes(model, "DequantizeLinear")
               if node.input[0] in weights)  # fmt: skip
    assert (built.out / ONNX_INT8.path).stat().st_size < 0.5 * (built.out / ONNX_FP32.path).stat().st_size


def test_both_runtimes_judge_every_file(built: BuildResult) -> None:
    pytest.importorskip("openvino")
    rows = {(check.candidate, check.inputs) for check in built.checks}
    steps = [f"{artifact.step}{where}" for artifact in (ONNX_FP32, ONNX_INT8) for where in ("", " in OpenVINO")]
    assert {(step, on) for step in steps for on in ("photos", "noise")} <= rows


def test_without_openvino_the_bundle_says_so_once(
    built: BuildResult, check: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(path: Path) -> None:
        raise ImportError

    monkeypatch.setattr(onnx_checks, "open_openvino", missing)
    notes: list[str] = []
    for artifact in (ONNX_FP32, ONNX_INT8):
        check(artifact, built.out / artifact.path, notes)
    assert notes == ["OpenVINO did not run the ONNX files: it is not installed (uv pip install openvino)."]


def test_a_file_that_openvino_refuses_breaks_its_own_row(
    built: BuildResult, check: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(path: Path) -> None:
        def run(views: np.ndarray) -> np.ndarray:
            raise RuntimeError("no suitable implementations")

        return run

    monkeypatch.setattr(onnx_checks, "open_openvino", refusing)
    with pytest.raises(BrokenParityCheck, match=r"int8 \.onnx in OpenVINO.*no suitable"):
        check(ONNX_INT8, built.out / ONNX_INT8.path)


def test_scores_depend_on_the_photo(built: BuildResult) -> None:
    run = open_onnx(built.out / ONNX_FP32.path)
    first, second = run(PHOTOS[0]), run(PHOTOS[1])
    assert first.shape == (1, 7) and not np.allclose(first, second)


def test_a_scale_off_by_one_percent_breaks_the_scales(damage: Callable) -> None:
    def do(model: onnx.ModelProto) -> None:
        _change(model, _nodes(model, "QuantizeLinear")[3].input[1], lambda scale: scale * np.float32(1.01))

    assert damage(ONNX_INT8, do) == "scales"


def test_a_zero_point_off_by_one_breaks_the_scales(damage: Callable) -> None:
    def do(model: onnx.ModelProto) -> None:
        _change(model, _nodes(model, "QuantizeLinear")[0].input[2], lambda zero: zero + np.int8(1))

    assert damage(ONNX_INT8, do) == "scales"


def test_one_int8_weight_off_by_one_breaks_the_weights(damage: Callable) -> None:
    def add_one(weight: np.ndarray) -> np.ndarray:
        weight.reshape(-1)[np.abs(weight).argmin()] += 1
        return weight

    def do(model: onnx.ModelProto) -> None:
        behind = {node.output[0]: node.input[0] for node in _nodes(model, "DequantizeLinear")}
        _change(model, behind[_nodes(model, "Conv")[4].input[1]], add_one)

    assert damage(ONNX_INT8, do) == "weights"


def test_blue_read_as_red_breaks_the_weights_of_int8_and_the_outputs_of_float(damage: Callable) -> None:
    def do(model: onnx.ModelProto) -> None:
        behind = {node.output[0]: node.input[0] for node in _nodes(model, "DequantizeLinear")}
        first = _nodes(model, "Conv")[0].input[1]
        _change(model, behind.get(first, first), lambda weight: weight[:, ::-1].copy())

    assert damage(ONNX_INT8, do) == "weights"
    assert damage(ONNX_FP32, do) == "photos"


def test_the_largest_float_weight_off_by_one_percent_breaks_the_outputs(damage: Callable) -> None:
    def grow(weight: np.ndarray) -> np.ndarray:
        weight.reshape(-1)[np.abs(weight).argmax()] *= 1.01
        return weight

    def do(model: onnx.ModelProto) -> None:
        _change(model, _nodes(model, "Conv")[0].input[1], grow)

    assert damage(ONNX_FP32, do) == "photos"


def test_an_operator_that_onnx_lacks_is_named() -> None:
    class Bessel(torch.nn.Module):
        def forward(self, photo: torch.Tensor) -> tuple[torch.Tensor]:
            return (torch.special.bessel_j0(photo).mean((1, 2, 3))[:, None],)

    exported = torch.export.export(Bessel(), (torch.rand(1, 3, 32, 32),))
    assert unsupported_by_onnx(exported) == ["prims.bessel_j0"]
    assert unsupported_by_onnx(small_student.exported_float()) == []
