"""ONNX files: the graph's own numbers, the same bytes every time, and every damage found."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import small_student
import torch
from conftest import shown_photos
from onnx.numpy_helper import from_array, to_array
from pocketiqa.errors import RuntimeUnavailable
from pocketiqa.scorer import Scorer

from benchmarks.__main__ import main as benchmarks
from mobile_export.artifacts import ONNX_FP32, ONNX_INT8, Artifact
from mobile_export.commands.build import BuildResult
from mobile_export.lower.onnx_model import OPSET, open_onnx, unsupported_by_onnx, write_onnx
from mobile_export.lower.request import Request
from mobile_export.verify import onnx_checks
from mobile_export.verify.ladder import BrokenParityCheck

PHOTOS = small_student.photos()[:6]


@pytest.fixture
def damage(
    built: BuildResult, judge: Callable, tmp_path: Path
) -> Callable[[Artifact, Callable[[onnx.ModelProto], None]], str]:
    """Damages a copy of a sound file, and names the check that finds it."""

    def found_by(artifact: Artifact, do: Callable[[onnx.ModelProto], None]) -> str:
        sound, path = built.out / artifact.path, tmp_path / "damaged.onnx"
        judge(artifact, sound)
        model = onnx.load(str(sound))
        do(model)
        path.write_bytes(model.SerializeToString())
        with pytest.raises(BrokenParityCheck) as broken:
            judge(artifact, path)
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
    built: BuildResult, judge: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_checks, "installed_runtimes", lambda format: {})
    notes: list[str] = []
    for artifact in (ONNX_FP32, ONNX_INT8):
        judge(artifact, built.out / artifact.path, notes)
    assert notes == ["OpenVINO did not run the ONNX files: it is not installed (uv pip install openvino)."]


def test_a_file_that_openvino_refuses_breaks_its_own_row(
    built: BuildResult, judge: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(path: Path) -> None:
        def run(views: np.ndarray) -> np.ndarray:
            raise RuntimeUnavailable("no suitable implementations")

        return run

    monkeypatch.setattr(onnx_checks, "open_openvino", refusing)
    with pytest.raises(BrokenParityCheck, match=r"int8 \.onnx in OpenVINO.*no suitable"):
        judge(ONNX_INT8, built.out / ONNX_INT8.path)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_the_sdk_scores_with_the_onnx_file_where_its_runtime_is_named(runtime: str, built: BuildResult) -> None:
    pytest.importorskip(runtime)
    ours, theirs = Scorer(built.out), Scorer(built.out, runtime=runtime, threads=1)
    assert theirs.variant == "onnx_int8" and theirs.runtime_name.startswith(runtime)
    assert theirs.program.metadata()["variant"] == "onnx_int8"
    for photo in shown_photos()[:3]:
        mine, other = ours(photo), theirs(photo)
        assert other.score == pytest.approx(mine.score, abs=0.01) and other.runtime.startswith(runtime)
        assert other.attributes == pytest.approx(mine.attributes, abs=0.01)
        # One cell of a map has few values behind it, so a rounding that falls otherwise shows there.
        assert other.map.shape == mine.map.shape and np.abs(other.map - mine.map).mean() < 0.05
    assert np.array_equal(pickle.loads(pickle.dumps(theirs))(photo).map, other.map)


def test_a_runtime_that_scores_the_golden_photo_wrong_is_refused(built: BuildResult, tmp_path: Path) -> None:
    copy = shutil.copytree(built.out, tmp_path / "bundle")
    manifest = json.loads((copy / "manifest.json").read_text())
    for scores in manifest["golden"].values():
        scores["int8"][0] += 0.02
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(RuntimeUnavailable, match=r"onnxruntime .* is off by 0\.02.* on golden/.*do not use it here"):
        Scorer(copy, runtime="onnxruntime")


def test_a_forked_child_scores_with_onnx_runtime_and_is_refused_by_openvino(built: BuildResult) -> None:
    """In a process of its own: worker threads do not survive a fork, and a child would wait for them."""
    pytest.importorskip("openvino")
    code = f"""
import os, signal
import numpy as np
from pocketiqa.errors import RuntimeUnavailable
from pocketiqa.runtime import load_program
programs = [load_program({str(built.out / ONNX_INT8.path)!r}, 2, name) for name in ("onnxruntime", "openvino")]
x = np.random.default_rng(5).random(programs[0].inputs[0]["shape"], dtype=np.float32)
expected = [program.run(x)[0] for program in programs]
child = os.fork()
if child == 0:
    signal.alarm(30)
    try:
        same = np.array_equal(programs[0].run(x)[0], expected[0])
        programs[1].run(x)
    except RuntimeUnavailable as error:
        os._exit(0 if same and "does not survive a fork" in str(error) else 3)
    os._exit(4)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert all(np.array_equal(program.run(x)[0], was) for program, was in zip(programs, expected))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, timeout=180,
        stdin=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()


def test_signals_are_still_handled_when_another_thread_released_what_openvino_ran(built: BuildResult) -> None:
    """OpenVINO changes the stack on which a thread handles signals, and frees it with the last thing that uses it."""
    pytest.importorskip("openvino")
    code = f"""
import faulthandler, gc, os, signal, threading
import numpy as np
from pocketiqa.runtime import load_program
faulthandler.enable()  # as pytest does: its handler, and Python's, run on a stack of their own
seen = []
signal.signal(signal.SIGTERM, lambda *_: seen.append(1))
for release in (lambda clear: clear(), lambda clear: (lambda t: (t.start(), t.join()))(threading.Thread(target=clear))):
    programs = [load_program({str(built.out / ONNX_INT8.path)!r}, 1, "openvino") for _ in range(2)]
    for program in programs:
        program.run(np.zeros(program.inputs[0]["shape"], np.float32))
    del program
    release(lambda: (programs.pop(0), gc.collect(), programs.clear(), gc.collect()))
    os.kill(os.getpid(), signal.SIGTERM)
assert seen == [1, 1]
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, timeout=180)
    assert done.returncode == 0, done.stderr.decode()


def test_the_benchmark_times_one_file_in_two_runtimes_in_turns(
    built: BuildResult, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    pytest.importorskip("openvino")
    variants = "onnx_int8@onnxruntime,onnx_int8@openvino"
    arguments = ["latency", "--bundle", str(built.out), "--variant", variants, "--runs", "2", "--seconds", "0"]
    monkeypatch.setattr(sys, "argv", ["benchmarks", *arguments])
    assert benchmarks() == 0
    shown = capsys.readouterr().out
    assert "onnx_int8@onnxruntime, 1 thread(s), onnxruntime 1" in shown
    assert "onnx_int8@openvino, 1 thread(s), openvino 20" in shown and "onnx_int8@openvino takes" in shown


def test_the_benchmark_asks_for_the_runtime_of_a_file_that_is_no_pte(
    built: BuildResult, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    for variant in ("onnx_int8", "onnx_int8@executorch"):
        monkeypatch.setattr(sys, "argv", ["benchmarks", "latency", "--bundle", str(built.out), "--variant", variant])
        assert benchmarks() == 2
        assert "onnx_int8@onnxruntime or onnx_int8@openvino" in capsys.readouterr().err


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


def test_whether_a_graph_can_be_written_is_asked_and_answered_by_one_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exports, export = [], torch.onnx.export
    monkeypatch.setattr(torch.onnx, "export", lambda *given, **how: exports.append(1) or export(*given, **how))
    exported = torch.export.export(torch.nn.Flatten(), (torch.rand(1, 3, 32, 32),))
    assert unsupported_by_onnx(exported) == unsupported_by_onnx(exported) == []
    files = [tmp_path / name for name in ("first", "second")]
    for path in files:
        write_onnx(Request(exported, {}, path))
    assert len(exports) == 1 and files[0].read_bytes() == files[1].read_bytes()


def test_an_operator_that_onnx_lacks_is_named() -> None:
    class Bessel(torch.nn.Module):
        def forward(self, photo: torch.Tensor) -> tuple[torch.Tensor]:
            return (torch.special.bessel_j0(photo).mean((1, 2, 3))[:, None],)

    exported = torch.export.export(Bessel(), (torch.rand(1, 3, 32, 32),))
    assert unsupported_by_onnx(exported) == ["prims.bessel_j0"]
    assert unsupported_by_onnx(small_student.exported_float()) == []
