"""The prepared graph of the shipped student: what is rounded, what is not, and that nothing else changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pocketiqa.preprocess import preprocess
from pocketiqa.promises import Promise
from safetensors.torch import load_file

from distill.networks.student import INPUT_SPEC, SHIPPED_STUDENT, Student, load_student
from quantize.graph import CLAMPS, module_of
from quantize.prepare import Prepared, convert, prepare, without_fake_quant
from quantize.ptq import calibrate
from quantize.quantizer import NetworkQuantizer
from quantize.state import load_prepared, promise_of, save_prepared

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def student() -> Student:
    return load_student(SHIPPED_STUDENT)


@pytest.fixture(scope="module")
def inputs(photos: dict[str, np.ndarray]) -> list[torch.Tensor]:
    return [torch.from_numpy(preprocess(photo, INPUT_SPEC)) for photo in photos.values()]


@pytest.fixture(scope="module")
def calibrated(student: Student, inputs: list[torch.Tensor]) -> Prepared:
    prepared = prepare(student, NetworkQuantizer(student, ()))  # all layers in int8
    calibrate(prepared, inputs)
    return prepared


def score(network: torch.nn.Module, views: torch.Tensor) -> float:
    with torch.no_grad():
        return network(views)[0][0, 0].item()


def test_without_fake_quant_the_prepared_graph_is_the_student(
    student: Student, calibrated: Prepared, inputs: list[torch.Tensor]
) -> None:
    with without_fake_quant(calibrated), torch.no_grad():
        for views in inputs[:2]:
            (quality, score_map), (wanted, wanted_map) = calibrated(views), student(views)
            assert torch.allclose(quality, wanted, atol=1e-4)
            # The map also sees the frame, where the moved input pads with a value 1/255 away from the float student's.
            assert torch.allclose(score_map, wanted_map, atol=1e-3)


def test_the_student_shares_no_tensor_with_its_prepared_graph(student: Student, calibrated: Prepared) -> None:
    theirs = {tensor.data_ptr() for tensor in student.state_dict().values()}
    assert not theirs & {parameter.data_ptr() for parameter in calibrated.parameters()}


def test_a_convolution_is_rounded_after_its_clamp_and_never_before(calibrated: Prepared) -> None:
    nodes = [node for node in calibrated.graph.nodes if not module_of(node).startswith("heads")]
    clamps = [node for node in nodes if node.target in CLAMPS]
    assert len(clamps) > 30
    for clamp in clamps:
        assert clamp.args[0].op == "call_function", "a fake-quantize module stands before the clamp"
        assert [user.op for user in clamp.users] == ["call_module"]


def test_pooling_and_heads_stay_float(calibrated: Prepared) -> None:
    rounded = [node for node in calibrated.graph.nodes if node.op == "call_module"]
    producers = {module_of(node.args[0]).split(".")[0] for node in rounded if node.args[0].op == "call_function"}
    assert producers == {"trunk"}


def test_rounding_moves_scores_a_little_and_the_converted_graph_not_at_all(
    student: Student, calibrated: Prepared, inputs: list[torch.Tensor]
) -> None:
    converted = convert(calibrated).module()
    for views in inputs[:3]:
        rounded = score(calibrated, views)
        assert 0 < abs(rounded - score(student, views)) < 0.05
        assert score(converted, views) == pytest.approx(rounded, abs=1e-5)


def test_a_quantized_student_survives_the_way_through_a_file_and_belongs_to_its_float(
    student: Student, calibrated: Prepared, inputs: list[torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "int8.safetensors"
    save_prepared(calibrated, path, {"weights_sha256": "a" * 64, "float_modules": [], "promise": {"srcc": 0.9}})
    assert score(load_prepared(student, path, "a" * 64), inputs[0]) == score(calibrated, inputs[0])
    assert promise_of(path) == Promise(srcc=0.9)
    stored = load_file(path)["trunk.stages.1.0.conv_dw.weight"]
    assert stored.dtype == torch.int8 and int(stored.min()) >= -127, "an int8 weight is stored as its integers"
    with pytest.raises(ValueError, match="other float weights"):
        load_prepared(student, path, "b" * 64)
    with pytest.raises(FileNotFoundError, match="python -m quantize"):
        load_prepared(student, tmp_path / "none.safetensors", "a" * 64)
