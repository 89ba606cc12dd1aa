"""Each known way to ship a wrong artifact breaks the ladder, at the rung where it was done."""

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
from pocketiqa.runtime import load_program
from torch import nn

from mobile_export.lower.executorch import LoweredProgram
from mobile_export.verify import bounds
from mobile_export.verify.bounds import SAME_GRAPH
from mobile_export.verify.diagnose import diagnose_package, graph_gaps
from mobile_export.verify.ladder import BrokenRung, Ladder
from mobile_export.verify.layers import first_outside
from mobile_export.verify.mil_reference import MilError
from mobile_export.verify.package_rungs import package_rungs

PHOTOS = small_student.photos()[:24]


def eager(network: Callable) -> Callable[[np.ndarray], np.ndarray]:
    def run(views: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return network(torch.from_numpy(np.ascontiguousarray(views)))[0].numpy()

    return run


@pytest.fixture(scope="module")
def outputs() -> Ladder:
    """A ladder with the steps that every artifact is compared with."""
    ladder = Ladder(PHOTOS)
    ladder.step("eager float", eager(small_student.small_student()))
    ladder.step("converted int8", eager(small_student.exported_int8().module()))
    return ladder


@pytest.fixture
def ladder(outputs: Ladder) -> Ladder:
    """The same steps and no rung yet."""
    fresh = Ladder(outputs.photos)
    fresh.outputs, fresh.noise_outputs = dict(outputs.outputs), dict(outputs.noise_outputs)
    return fresh


@pytest.fixture(scope="module")
def step() -> float:
    return bounds.output_step(small_student.exported_int8().module(), PHOTOS)


def check_fp16(ladder: Ladder, path: Path) -> None:
    bound = bounds.half_precision(ladder.outputs["eager float"][:, 0])
    graph = small_student.exported_float().module()
    package_rungs(ladder, "coreml_fp16", path, graph, "eager float", bound, bounds.LAYER_FLOAT16)


def check_w8a8(ladder: Ladder, path: Path, step: float) -> None:
    graph = small_student.exported_int8().module()
    bound = bounds.same_int8_graph(step)
    package_rungs(ladder, "coreml_w8a8", path, graph, "converted int8", bound, bounds.LAYER_INT8)


def test_sound_packages_hold_every_rung(ladder: Ladder, fp16: Path, w8a8: Path, step: float) -> None:
    check_fp16(ladder, fp16)
    check_w8a8(ladder, w8a8, step)
    assert [rung.inputs for rung in ladder.rungs] == ["weights", "layers", "photos"] * 2


def test_a_batchnorm_eps_left_at_1e_3_breaks_prepared_without_rounding(ladder: Ladder) -> None:
    # prepare_qat_pt2e rebuilds every BatchNorm with eps 1e-5, whatever it had.
    original = small_student.SmallStudent(quantization_safe=False).eval()
    rewritten = copy.deepcopy(original)
    for module in rewritten.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.eps == 1e-3
            module.eps = 1e-5
    ladder.step("eager float", eager(original))
    ladder.step("prepared, no rounding", eager(rewritten))
    with pytest.raises(BrokenRung, match="prepared, no rounding"):
        ladder.rung("eager float", "prepared, no rounding", SAME_GRAPH)
    example = (torch.from_numpy(PHOTOS[0]),)
    graphs = [torch.export.export(network, example).module() for network in (original, rewritten)]
    assert first_outside(graph_gaps(*graphs, PHOTOS[0]), 1e-4).name == "backbone.conv_stem"


@pytest.mark.parametrize("number", [0, 5, 12])
def test_one_weight_off_by_one_percent_breaks_the_weights(
    ladder: Ladder, fp16: Path, number: int, tmp_path: Path
) -> None:
    package = sabotage.copy_of(fp16, tmp_path)
    sabotage.scale_one_weight(package, 1.01, number)
    with pytest.raises(BrokenRung) as broken:
        check_fp16(ladder, package)
    names = [layer.name for layer in small_student.layers()]
    assert (broken.value.rung.inputs, broken.value.rung.worst) == ("weights", names[number])


def test_one_int8_weight_off_by_one_breaks_the_weights(ladder: Ladder, w8a8: Path, step: float, tmp_path: Path) -> None:
    package = sabotage.copy_of(w8a8, tmp_path)
    sabotage.scale_one_weight(package, 1.01, 3)
    with pytest.raises(BrokenRung) as broken:
        check_w8a8(ladder, package, step)
    assert broken.value.rung.inputs == "weights"


@pytest.mark.parametrize("number", [0, 1, -1])
def test_a_zero_point_off_by_one_in_the_package_breaks_the_layers(
    ladder: Ladder, w8a8: Path, step: float, number: int, tmp_path: Path
) -> None:
    package = sabotage.copy_of(w8a8, tmp_path)
    sabotage.shift_zero_point(package, number)
    with pytest.raises(BrokenRung) as broken:
        check_w8a8(ladder, package, step)
    assert broken.value.rung.inputs == "layers"
    weights, layers = diagnose_package(package, small_student.exported_int8(), PHOTOS[0])
    assert weights.first is None and layers.first.name == broken.value.rung.worst
    assert "→" in str(layers)


def test_a_zero_point_off_by_one_in_the_graph_breaks_converted_int8(ladder: Ladder) -> None:
    graph = copy.deepcopy(small_student.exported_int8().module())
    node = next(n for n in graph.graph.nodes if "dequantize_per_tensor" in str(n.target) and n.args[2] > -128)
    node.args = (node.args[0], node.args[1], node.args[2] + 1, *node.args[3:])
    graph.recompile()
    ladder.outputs["prepared"] = ladder.outputs["converted int8"]
    ladder.step("converted int8", eager(graph))
    with pytest.raises(BrokenRung, match="prepared ↔ converted int8"):
        ladder.rung("prepared", "converted int8", SAME_GRAPH)


@pytest.mark.parametrize(
    "mistaken",
    [
        lambda x: np.ascontiguousarray(x.transpose(0, 2, 3, 1)).reshape(x.shape),
        lambda x: x[:, ::-1],
        lambda x: x * 255,
    ],
    ids=["channels-last", "BGR", "0 to 255"],
)
def test_an_artifact_fed_wrongly_breaks_its_outputs(ladder: Ladder, mistaken: Callable) -> None:
    run = eager(small_student.small_student())
    ladder.step("fed wrongly", lambda views: run(mistaken(views)))
    with pytest.raises(BrokenRung, match="fed wrongly on photos"):
        ladder.rung("eager float", "fed wrongly", SAME_GRAPH)


def test_swapped_attribute_heads_break_the_outputs_though_the_score_is_right(ladder: Ladder) -> None:
    swapped = copy.deepcopy(small_student.small_student())
    order = torch.tensor([0, 2, 1, 3, 4, 5, 6])
    with torch.no_grad():
        for parameter in swapped.quality_head.parameters():
            parameter.copy_(parameter[order])
    ladder.step("swapped", eager(swapped))
    with pytest.raises(BrokenRung) as broken:
        ladder.rung("eager float", "swapped", SAME_GRAPH)
    assert broken.value.rung.mean_abs == 0


def test_a_truncated_weight_file_is_refused_by_name(ladder: Ladder, fp16: Path, tmp_path: Path) -> None:
    package = sabotage.copy_of(fp16, tmp_path)
    sabotage.truncate(package)
    with pytest.raises(MilError, match=r"weight\.bin"):
        check_fp16(ladder, package)
    (diagnosis,) = diagnose_package(package, small_student.exported_float(), PHOTOS[0])
    assert "weight.bin" in diagnosis.first


def test_a_file_that_is_not_what_its_hash_promises_is_refused(tmp_path: Path) -> None:
    root = Path(shutil.copytree(DEFAULT_BUNDLE, tmp_path / "bundle"))
    program = root / "xnnpack/student_int8.pte"
    content = bytearray(program.read_bytes())
    content[-100] ^= 1
    program.write_bytes(content)
    (problem,) = Bundle.open(root).problems()
    assert "sha256" in problem and "student_int8.pte" in problem


def test_the_ladder_stops_at_the_first_broken_rung_and_names_it(ladder: Ladder) -> None:
    ladder.step("shifted", lambda views: eager(small_student.small_student())(views) + 0.01)
    ladder.rung("eager float", "eager float", SAME_GRAPH)
    with pytest.raises(BrokenRung, match="eager float ↔ shifted") as broken:
        ladder.rung("eager float", "shifted", SAME_GRAPH)
    assert broken.value.rungs == ladder.rungs and len(ladder.rungs) == 2


def test_a_lowered_int8_program_stays_within_two_output_steps(
    ladder: Ladder, int8: LoweredProgram, step: float
) -> None:
    program = load_program(int8.buffer, prefer="executorch")
    ladder.step("int8 .pte", lambda views: program.run(views)[0])
    ladder.rung("converted int8", "int8 .pte", bounds.same_int8_graph(step))
