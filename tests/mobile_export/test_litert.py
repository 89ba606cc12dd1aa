"""LiteRT files: the graph's own numbers, the same bytes every time, and every damage found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import small_student
import torch
from conftest import as_built, shown_photos
from pocketiqa.runtimes.litert import LiteRtProgram

from distill.contract import ContractError
from mobile_export.artifacts import LITERT_FP32, LITERT_INT8, Artifact
from mobile_export.commands import build
from mobile_export.commands.build import BuildResult, Config
from mobile_export.graphs import FLOAT
from mobile_export.lower import litert, litert_environment
from mobile_export.lower.litert import as_litert_takes_it, open_litert, write_litert
from mobile_export.lower.litert_environment import is_made
from mobile_export.lower.request import NotBuilt, Request
from mobile_export.verify.ladder import BrokenParityCheck
from tests.made_once import made_once

PHOTOS = small_student.photos()[:6]


def _graphs() -> dict[Artifact, torch.export.ExportedProgram]:
    return {LITERT_FP32: small_student.exported_float(), LITERT_INT8: small_student.exported_int8()}


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the small student in both precisions."""
    pytest.importorskip("ai_edge_litert")
    if not is_made():
        pytest.skip("litert-torch has no environment here: python -m mobile_export.lower.litert_environment makes it")

    def make(folder: Path) -> None:
        for artifact, graph in _graphs().items():
            path = folder / artifact.path
            path.parent.mkdir(exist_ok=True)
            write_litert(Request(graph, {"variant": artifact.name}, path, PHOTOS))

    return made_once(tmp_path_factory, "litert", make)


class Opened:
    """A file in memory, to be changed where it lies: what arrays show of it is the file itself."""

    def __init__(self, content: bytes) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.content = bytearray(content)
        self.model = schema.Model.GetRootAs(self.content, 0)
        self.graph = self.model.Subgraphs(0)
        self.schema = schema

    def weight(self, kind: str, number: int) -> np.ndarray:
        """Of the ``number``-th operator of a kind."""
        wanted = getattr(self.schema.BuiltinOperator, kind)
        operators = [self.graph.Operators(i) for i in range(self.graph.OperatorsLength())]
        codes = [self.model.OperatorCodes(one.OpcodeIndex()).BuiltinCode() for one in operators]
        operator = [one for one, code in zip(operators, codes) if code == wanted][number]
        tensor = self.graph.Tensors(operator.Inputs(1))
        kind_of = np.int8 if tensor.Type() == self.schema.TensorType.INT8 else np.float32
        values = self.model.Buffers(tensor.Buffer()).DataAsNumpy().view(kind_of)
        return values.reshape(tensor.ShapeAsNumpy())

    def rounding(self, number: int) -> object:
        """Scale and zero point of the ``number``-th int8 tensor that is no constant."""
        tensors = [self.graph.Tensors(i) for i in range(self.graph.TensorsLength())]
        int8 = [one for one in tensors if one.Type() == self.schema.TensorType.INT8]
        return [one for one in int8 if not self.model.Buffers(one.Buffer()).DataLength()][number].Quantization()


@pytest.fixture
def damage(files: Path, judge: Callable, tmp_path: Path) -> Callable[[Artifact, Callable[[Opened], None]], object]:
    """Damages a copy of a sound file, and gives the check that finds it."""

    def found_by(artifact: Artifact, do: Callable[[Opened], None]) -> object:
        opened, path = Opened((files / artifact.path).read_bytes()), tmp_path / "damaged.tflite"
        do(opened)
        assert opened.content != (files / artifact.path).read_bytes()
        path.write_bytes(opened.content)
        with pytest.raises(BrokenParityCheck) as broken:
            judge(artifact, path)
        return broken.value.check

    return found_by


@pytest.mark.slow
@pytest.mark.parametrize("artifact", _graphs(), ids=lambda artifact: artifact.name)
def test_a_sound_file_holds_every_check_in_both_sets_of_kernels(
    artifact: Artifact, files: Path, judge: Callable
) -> None:
    rows = judge(artifact, files / artifact.path).checks
    numbers = ["weights", "scales"] if artifact is LITERT_INT8 else []
    assert [row.inputs for row in rows] == [*numbers, *["photos"] * (len(artifact.compared) + 1)]
    assert rows[-1].candidate == f"{artifact.step} in LiteRT's own kernels"


@pytest.mark.slow
@pytest.mark.parametrize("artifact", _graphs(), ids=lambda artifact: artifact.name)
def test_a_file_says_what_it_is_and_nothing_of_this_machine(artifact: Artifact, files: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    content = (files / artifact.path).read_bytes()
    assert b".py" not in content and str(Path.cwd()).encode() not in content
    assert LiteRtProgram(content, "ai-edge-litert").metadata() == {"variant": artifact.name}
    opened = Interpreter(model_content=content)
    (parts,) = opened.get_signature_list().values()
    assert (parts["inputs"], set(parts["outputs"])) == (["photo"], {"quality", "map"})
    ends = [*opened.get_input_details(), *opened.get_output_details()]
    assert [one["dtype"] for one in ends] == [np.float32] * 3
    # By number too: the quality comes first, as in every other artifact.
    assert [one["shape"].tolist() for one in ends[1:]] == [[1, 7], [1, *small_student.SmallStudent.map_shape]]


@pytest.mark.slow
def test_int8_weights_take_a_quarter(files: Path) -> None:
    sizes = [(files / artifact.path).stat().st_size for artifact in (LITERT_FP32, LITERT_INT8)]
    assert sizes[1] < 0.5 * sizes[0]


@pytest.mark.slow
def test_a_scale_off_by_one_percent_breaks_the_scales(damage: Callable) -> None:
    def do(opened: Opened) -> None:
        opened.rounding(3).ScaleAsNumpy()[:] *= np.float32(1.01)

    assert damage(LITERT_INT8, do).inputs == "scales"


@pytest.mark.slow
def test_a_zero_point_off_by_one_breaks_the_scales(damage: Callable) -> None:
    def do(opened: Opened) -> None:
        opened.rounding(2).ZeroPointAsNumpy()[:] += 1

    assert damage(LITERT_INT8, do).inputs == "scales"


@pytest.mark.slow
def test_one_int8_weight_off_by_one_breaks_the_weights(damage: Callable) -> None:
    def do(opened: Opened) -> None:
        weight = opened.weight("CONV_2D", 4).reshape(-1)
        weight[np.abs(weight).argmin()] += 1

    assert damage(LITERT_INT8, do).inputs == "weights"


@pytest.mark.slow
def test_the_largest_float_weight_off_by_one_percent_breaks_the_outputs(damage: Callable) -> None:
    def do(opened: Opened) -> None:
        weight = opened.weight("CONV_2D", 0).reshape(-1)
        weight[np.abs(weight).argmax()] *= np.float32(1.01)

    assert damage(LITERT_FP32, do).inputs == "photos"


@pytest.mark.slow
@pytest.mark.parametrize(("artifact", "found"), [(LITERT_INT8, "weights"), (LITERT_FP32, "photos")])
def test_blue_read_as_red_breaks_the_first_convolution(artifact: Artifact, found: str, damage: Callable) -> None:
    def do(opened: Opened) -> None:
        weight = opened.weight("CONV_2D", 0)
        weight[:] = weight[..., ::-1].copy()

    assert damage(artifact, do).inputs == found


@pytest.mark.slow
@pytest.mark.parametrize("artifact", _graphs(), ids=lambda artifact: artifact.name)
def test_swapped_attribute_heads_break_the_outputs(artifact: Artifact, damage: Callable) -> None:
    def do(opened: Opened) -> None:
        weight = opened.weight("FULLY_CONNECTED", 0)
        weight[[1, 2]] = weight[[2, 1]]

    assert damage(artifact, do).inputs == "photos"


@pytest.mark.slow
@pytest.mark.parametrize(
    "mistaken",
    [lambda x: np.ascontiguousarray(x.transpose(0, 2, 3, 1)).reshape(x.shape), lambda x: x[:, ::-1]],
    ids=["channels-last", "BGR"],
)
def test_a_file_fed_wrongly_breaks_its_outputs(mistaken: Callable, files: Path, judge: Callable) -> None:
    def fed(path: Path) -> Callable[[np.ndarray], np.ndarray]:
        run = open_litert(path)
        return lambda views: run(mistaken(views))

    with pytest.raises(BrokenParityCheck, match=rf"{FLOAT} ↔ fp32 \.tflite on photos"):
        judge(replace(LITERT_FP32, open=fed), files / LITERT_FP32.path)


@pytest.mark.slow
@pytest.mark.parametrize("artifact", _graphs(), ids=lambda artifact: artifact.name)
def test_a_file_that_is_cut_short_is_refused_in_words(
    artifact: Artifact, files: Path, judge: Callable, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes((files / artifact.path).read_bytes()[:2000])
    with pytest.raises(BrokenParityCheck, match="its runtime refuses it"):
        judge(artifact, broken)


def test_what_is_handed_to_the_converter_gives_the_graphs_own_outputs_and_is_float_at_its_ends() -> None:
    graph = as_litert_takes_it(small_student.exported_int8())
    views = torch.from_numpy(PHOTOS[0])
    with torch.no_grad():
        pairs = zip(graph.module()(views), small_student.exported_int8().module()(views))
        assert all(torch.equal(mine, its) for mine, its in pairs)
    (photo,) = (node for node in graph.graph.nodes if node.name in graph.graph_signature.user_inputs)
    assert not [user for user in photo.users if "quantize" in str(user.target)]
    float_graph = small_student.exported_float()
    assert as_litert_takes_it(float_graph) is float_graph


def test_values_of_two_scales_are_joined_and_pooled_in_float() -> None:
    """litert-torch gave the shipped student's last layer another one's scale, until it could not."""

    def rounded(values: torch.Tensor, scale: float) -> torch.Tensor:
        given = (scale, 3, -128, 127, torch.int8)
        codes = torch.ops.quantized_decomposed.quantize_per_tensor(values, *given)
        return torch.ops.quantized_decomposed.dequantize_per_tensor(codes, *given)

    class Joined(torch.nn.Module):
        def forward(self, photo: torch.Tensor) -> torch.Tensor:
            pooled = torch.nn.functional.avg_pool2d(rounded(photo, 0.02), 2)
            return torch.cat([pooled, rounded(photo[..., ::2, ::2], 0.05)], 1).mean((2, 3))

    photo = torch.rand(1, 3, 8, 8)
    exported = torch.export.export(Joined(), (photo,))
    handed = as_litert_takes_it(exported)
    assert torch.equal(handed.module()(photo), exported.module()(photo))
    for node in handed.graph.nodes:
        if str(node.target) in ("aten.cat.default", "aten.avg_pool2d.default"):
            assert {str(one.target) for one in node.all_input_nodes} == {"aten.neg.default"}


def test_without_uv_the_bundle_says_why_a_file_is_missing(
    small_config: Config, built: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ai_edge_litert")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(litert_environment.shutil, "which", lambda name: None)
    monkeypatch.setattr(build, "chosen", lambda skip, also: ([*as_built(built, "fp32"), LITERT_FP32], []))
    config = replace(small_config, out=tmp_path / "b", skip=("report",))
    result = build.build(config, shown_photos()[:1], noise_inputs=0)
    assert [note for note in result.notes if note.startswith("litert_fp32 was not built: uv")]
    assert not (result.out / "litert").exists() and not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        (
            "RuntimeError: Lowering not found: aten.special_airy_ai.default",
            ContractError,
            "aten.special_airy_ai.default",
        ),
        ("ValueError: something else", NotBuilt, "something else"),
    ],
    ids=["operator", "else"],
)
def test_a_conversion_that_fails_says_why(
    said: str, error: type[Exception], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = SimpleNamespace(returncode=1, stderr=f"…\n{said}\n", stdout="")
    monkeypatch.setattr(litert, "converter_python", lambda: Path("python"))
    monkeypatch.setattr(litert.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(error, match=words):
        write_litert(Request(small_student.exported_float(), {}, tmp_path / "x.tflite", PHOTOS))
    assert not list(tmp_path.iterdir())
