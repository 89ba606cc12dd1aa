"""Each known way to ship a wrong artifact breaks the ladder, at the check where it was done."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import sabotage
import small_student
import torch
from pocketiqa.bundle import DEFAULT_BUNDLE, Bundle
from pocketiqa.promises import ANY_NETWORK
from pocketiqa.runtime import load_program
from torch import nn

from mobile_export.artifacts import COREML_FP16, COREML_W8A8
from mobile_export.graphs import Graphs, Int8Graphs, eager
from mobile_export.verify import bounds
from mobile_export.verify.bounds import SAME_GRAPH, Scales
from mobile_export.verify.diagnosis import diagnose_graphs, diagnose_package
from mobile_export.verify.ladder import BrokenParityCheck, ParityLadder
from mobile_export.verify.mil_reference import MilError
from mobile_export.verify.package_checks import check_package
from mobile_export.verify.rounding import Rounding

PHOTOS = small_student.photos()[:24]


@pytest.fixture(scope="module")
def outputs() -> ParityLadder:
    """A ladder with the steps that every artifact is compared with."""
    ladder = ParityLadder(PHOTOS)
    ladder.step("eager float", eager(small_student.small_student()))
    ladder.step("converted int8", eager(small_student.exported_int8().module()))
    return ladder


@pytest.fixture
def ladder(outputs: ParityLadder) -> ParityLadder:
    """The same steps and no check yet."""
    fresh = ParityLadder(outputs.photos)
    fresh.outputs, fresh.noise_outputs = dict(outputs.outputs), dict(outputs.noise_outputs)
    return fresh


@pytest.fixture(scope="module")
def scales(outputs: ParityLadder) -> Scales:
    rounding = Rounding.of(small_student.exported_int8().module(), PHOTOS, outputs.outputs["converted int8"])
    return Scales(float(np.std(outputs.outputs["eager float"][:, 0])), rounding, ANY_NETWORK)


@pytest.fixture
def check_fp16(ladder: ParityLadder, scales: Scales) -> Callable[[Path], None]:
    graphs = Graphs(small_student.small_student(), small_student.exported_float(), None)
    return lambda path: check_package(COREML_FP16.subject(path, graphs, scales, ladder=ladder, notes=[]))


@pytest.fixture
def check_w8a8(ladder: ParityLadder, scales: Scales) -> Callable[[Path], None]:
    int8 = Int8Graphs(small_student.prepared(), small_student.exported_int8(), None)
    graphs = Graphs(small_student.small_student(), small_student.exported_float(), int8)
    return lambda path: check_package(COREML_W8A8.subject(path, graphs, scales, ladder=ladder, notes=[]))


def test_sound_packages_hold_every_check(
    ladder: ParityLadder, check_fp16: Callable, check_w8a8: Callable, fp16: Path, w8a8: Path
) -> None:
    check_fp16(fp16)
    check_w8a8(w8a8)
    assert [check.inputs for check in ladder.checks] == ["weights", "layers", "photos"] * 2


def test_a_batchnorm_eps_left_at_1e_3_breaks_prepared_without_rounding(ladder: ParityLadder) -> None:
    # prepare_qat_pt2e rebuilds every BatchNorm with eps 1e-5, whatever it had.
    original = small_student.SmallStudent(quantization_safe=False).eval()
    rewritten = copy.deepcopy(original)
    for module in rewritten.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.eps == 1e-3
            module.eps = 1e-5
    ladder.step("eager float", eager(original))
    ladder.step("prepared, no rounding", eager(rewritten))
    with pytest.raises(BrokenParityCheck, match="prepared, no rounding"):
        ladder.check("eager float", "prepared, no rounding", SAME_GRAPH)
    example = (torch.from_numpy(PHOTOS[0]),)
    graphs = [torch.export.export(network, example).module() for network in (original, rewritten)]
    assert diagnose_graphs("float ↔ rewritten", *graphs, PHOTOS[0]).first.name == "backbone.conv_stem"


@pytest.mark.parametrize("number", [0, 5, 12])
def test_one_weight_off_by_one_percent_breaks_the_weights(
    check_fp16: Callable, fp16: Path, number: int, tmp_path: Path
) -> None:
    package = sabotage.copy_of(fp16, tmp_path)
    sabotage.scale_one_weight(package, 1.01, number)
    with pytest.raises(BrokenParityCheck) as broken:
        check_fp16(package)
    names = [layer.name for layer in small_student.layers()]
    assert (broken.value.check.inputs, broken.value.check.worst) == ("weights", names[number])


def test_one_int8_weight_off_by_one_breaks_the_weights(check_w8a8: Callable, w8a8: Path, tmp_path: Path) -> None:
    package = sabotage.copy_of(w8a8, tmp_path)
    sabotage.scale_one_weight(package, 1.01, 3)
    with pytest.raises(BrokenParityCheck) as broken:
        check_w8a8(package)
    assert broken.value.check.inputs == "weights"


@pytest.mark.parametrize("number", [0, 1, -1])
def test_a_zero_point_off_by_one_in_the_package_breaks_the_layers(
    check_w8a8: Callable, w8a8: Path, number: int, tmp_path: Path
) -> None:
    package = sabotage.copy_of(w8a8, tmp_path)
    sabotage.shift_zero_point(package, number)
    with pytest.raises(BrokenParityCheck) as broken:
        check_w8a8(package)
    assert broken.value.check.inputs == "layers"
    weights, layers = diagnose_package("w8a8", package, small_student.exported_int8(), PHOTOS[0])
    assert weights.first is None and layers.first.name == broken.value.check.worst
    assert "→" in str(layers)


def test_a_zero_point_off_by_one_in_the_graph_breaks_converted_int8(ladder: ParityLadder) -> None:
    graph = copy.deepcopy(small_student.exported_int8().module())
    node = next(n for n in graph.graph.nodes if "dequantize_per_tensor" in str(n.target) and n.args[2] > -128)
    node.args = (node.args[0], node.args[1], node.args[2] + 1, *node.args[3:])
    graph.recompile()
    ladder.outputs["prepared"] = ladder.outputs["converted int8"]
    ladder.step("converted int8", eager(graph))
    with pytest.raises(BrokenParityCheck, match="prepared ↔ converted int8"):
        ladder.check("prepared", "converted int8", SAME_GRAPH)


@pytest.mark.parametrize(
    "mistaken",
    [
        lambda x: np.ascontiguousarray(x.transpose(0, 2, 3, 1)).reshape(x.shape),
        lambda x: x[:, ::-1],
        lambda x: x * 255,
    ],
    ids=["channels-last", "BGR", "0 to 255"],
)
def test_an_artifact_fed_wrongly_breaks_its_outputs(ladder: ParityLadder, mistaken: Callable) -> None:
    run = eager(small_student.small_student())
    ladder.step("fed wrongly", lambda views: run(np.ascontiguousarray(mistaken(views))))
    with pytest.raises(BrokenParityCheck, match="fed wrongly on photos"):
        ladder.check("eager float", "fed wrongly", SAME_GRAPH)


def test_swapped_attribute_heads_break_the_outputs_though_the_score_is_right(ladder: ParityLadder) -> None:
    swapped = copy.deepcopy(small_student.small_student())
    order = torch.tensor([0, 2, 1, 3, 4, 5, 6])
    with torch.no_grad():
        for parameter in swapped.quality_head.parameters():
            parameter.copy_(parameter[order])
    ladder.step("swapped", eager(swapped))
    with pytest.raises(BrokenParityCheck) as broken:
        ladder.check("eager float", "swapped", SAME_GRAPH)
    assert broken.value.check.mean_abs == 0


def test_a_truncated_weight_file_is_refused_by_name(check_fp16: Callable, fp16: Path, tmp_path: Path) -> None:
    package = sabotage.copy_of(fp16, tmp_path)
    sabotage.truncate(package)
    with pytest.raises(MilError, match=r"weight\.bin"):
        check_fp16(package)
    (diagnosis,) = diagnose_package("fp16", package, small_student.exported_float(), PHOTOS[0])
    assert "weight.bin" in diagnosis.first


def test_a_file_that_is_not_what_its_hash_promises_is_refused(tmp_path: Path) -> None:
    root = Path(shutil.copytree(DEFAULT_BUNDLE, tmp_path / "bundle"))
    program = root / "xnnpack/student_int8.pte"
    content = bytearray(program.read_bytes())
    content[-100] ^= 1
    program.write_bytes(content)
    (problem,) = Bundle.open(root).problems()
    assert "sha256" in problem and "student_int8.pte" in problem


def test_the_ladder_stops_at_the_first_broken_check_and_names_it(ladder: ParityLadder) -> None:
    ladder.step("shifted", lambda views: eager(small_student.small_student())(views) + 0.01)
    ladder.check("eager float", "eager float", SAME_GRAPH)
    with pytest.raises(BrokenParityCheck, match="eager float ↔ shifted") as broken:
        ladder.check("eager float", "shifted", SAME_GRAPH)
    assert broken.value.checks == ladder.checks and len(ladder.checks) == 2


def test_a_lowered_int8_program_stays_within_what_rounding_explains(
    ladder: ParityLadder, int8: Path, scales: Scales
) -> None:
    program = load_program(int8, prefer="executorch")
    ladder.step("int8 .pte", lambda views: program.run(views)[0])
    ladder.check("converted int8", "int8 .pte", bounds.same_int8_graph(scales))
