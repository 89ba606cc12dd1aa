import json
import re
from pathlib import Path

import numpy as np
import pytest
import small_student
import torch
from executorch.runtime import Runtime
from torch import nn

from mobile_export.commands.build import BuildResult
from mobile_export.lower.coreml_pte import extract_package, lower_to_coreml_pte
from mobile_export.lower.executorch import DelegationError, LoweredProgram, lower_to_xnnpack
from mobile_export.verify.mil_reference import MilProgram

METADATA = {"name": "Prüfling", "input": {"height": 32, "width": 48}}
EXAMPLE = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(0))


class TinyStudent(nn.Module):
    """The student's signature in three layers."""

    def __init__(self, integer_factor: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 8, 3, stride=32, padding=1)
        self.head = nn.Linear(8, 7)
        self.map_head = nn.Conv2d(8, 1, 1)
        self.factor = 2 if integer_factor else 2.0

    def forward(self, photo: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = torch.relu(self.stem(photo * self.factor - 1.0))
        quality = torch.sigmoid(self.head(nn.functional.adaptive_avg_pool2d(features, 1).flatten(1)))
        return quality, torch.sigmoid(self.map_head(features)).flatten(1, 2)


class Normalized(TinyStudent):
    def forward(self, photo: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        quality, local = super().forward(photo)
        return torch.sigmoid(nn.functional.layer_norm(quality, (7,))), local


class Sorting(TinyStudent):
    def forward(self, photo: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        quality, local = super().forward(photo)
        return torch.sort(quality).values, local


def exported(student: nn.Module) -> torch.export.ExportedProgram:
    return torch.export.export(student.eval(), (EXAMPLE,), strict=True)


def loaded(buffer: bytes, folder: Path) -> object:
    (folder / "student.pte").write_bytes(buffer)
    return Runtime.get().load_program(folder / "student.pte")


@pytest.fixture(scope="module")
def lowered() -> LoweredProgram:
    return lower_to_xnnpack(exported(TinyStudent()), METADATA)


@pytest.fixture(scope="module")
def lowered_to_coreml() -> LoweredProgram:
    pytest.importorskip("coremltools")
    return lower_to_coreml_pte(exported(TinyStudent()), METADATA)


def test_a_lowered_student_is_one_subgraph_and_computes_the_same(lowered: LoweredProgram, tmp_path: Path) -> None:
    assert lowered.delegation.subgraphs == 1
    assert lowered.delegation.delegated > 5
    program = loaded(lowered.buffer, tmp_path)
    outputs = program.load_method("forward").execute([EXAMPLE])
    for found, expected in zip(outputs, TinyStudent().eval()(EXAMPLE)):
        np.testing.assert_allclose(found.numpy(), expected.detach().numpy(), atol=1e-5)


def test_a_program_carries_its_metadata_as_bytes(lowered: LoweredProgram, tmp_path: Path) -> None:
    program = loaded(lowered.buffer, tmp_path)
    (text,) = program.load_method("metadata").execute([])
    assert (text.dtype, text.ndim) == (torch.uint8, 1)
    assert json.loads(bytes(text.numpy())) == METADATA


def test_two_lowerings_are_the_same_bytes_in_whatever_order_the_metadata_stands(lowered: LoweredProgram) -> None:
    turned = dict(reversed(METADATA.items()))
    assert lower_to_xnnpack(exported(TinyStudent()), turned).buffer == lowered.buffer


@pytest.mark.parametrize(
    ("student", "operator"),
    [(Sorting(), "aten_sort"), (TinyStudent(integer_factor=True), "to_dim_order_copy")],
    ids=["an operator that XNNPACK lacks", "an integer literal, which becomes a cast"],
)
def test_what_the_backend_does_not_take_is_an_error_that_names_it(student: nn.Module, operator: str) -> None:
    with pytest.raises(DelegationError, match=operator):
        lower_to_xnnpack(exported(student), METADATA)


def test_a_coreml_program_is_one_subgraph(lowered_to_coreml: LoweredProgram) -> None:
    assert lowered_to_coreml.delegation.subgraphs == 1
    assert lowered_to_coreml.buffer[4:8] == b"ET12"


def test_two_coreml_programs_of_a_student_are_the_same_bytes_and_of_another_student_others(
    lowered_to_coreml: LoweredProgram,
) -> None:
    identifier = re.compile(rb"executorch_[0-9a-f-]{36}")
    again = lower_to_coreml_pte(exported(TinyStudent()), METADATA)
    assert again.buffer == lowered_to_coreml.buffer
    other = TinyStudent()
    with torch.no_grad():
        other.head.bias += 1
    changed = lower_to_coreml_pte(exported(other), METADATA)
    assert len(changed.buffer) == len(again.buffer)
    assert identifier.findall(changed.buffer) != identifier.findall(again.buffer) != []


def test_the_model_inside_a_coreml_program_can_be_taken_out_and_computes_the_same(
    lowered_to_coreml: LoweredProgram, tmp_path: Path
) -> None:
    program = MilProgram.read(extract_package(lowered_to_coreml.buffer, tmp_path))
    ((name, shape),) = program.inputs.items()
    assert shape == tuple(EXAMPLE.shape)
    found = program.run({name: EXAMPLE.numpy()}, "float16")[program.outputs[0]]
    np.testing.assert_allclose(found, TinyStudent().eval()(EXAMPLE)[0].detach().numpy(), atol=2e-3)


def test_a_program_for_another_backend_has_no_coreml_model(lowered: LoweredProgram, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="0 Core ML subgraphs"):
        extract_package(lowered.buffer, tmp_path)


def test_the_int8_graph_of_a_real_network_is_one_small_subgraph(built: BuildResult) -> None:
    size, subgraphs = built.sizes["int8"]
    assert subgraphs == 1
    float_bytes = sum(p.numel() * 4 for p in small_student.small_student().parameters())
    assert size < 0.6 * float_bytes


def test_a_network_of_a_users_own_may_be_in_pieces_and_the_operators_outside_are_named(tmp_path: Path) -> None:
    lowered = lower_to_xnnpack(exported(Normalized()), METADATA, in_pieces=True)
    assert "layer_norm" in lowered.delegation.outside[0]
    outputs = loaded(lowered.buffer, tmp_path).load_method("forward").execute([EXAMPLE])
    np.testing.assert_allclose(outputs[0].numpy(), Normalized().eval()(EXAMPLE)[0].detach().numpy(), atol=1e-5)
