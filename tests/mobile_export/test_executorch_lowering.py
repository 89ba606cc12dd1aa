import json
from pathlib import Path

import numpy as np
import pytest
import small_student
import torch
from executorch.runtime import Runtime
from torch import nn

from mobile_export.executorch import DelegationError, lower_to_coreml_pte, lower_to_xnnpack

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


class Sorting(TinyStudent):
    def forward(self, photo: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        quality, local = super().forward(photo)
        return torch.sort(quality).values, local


def exported(student: nn.Module) -> torch.export.ExportedProgram:
    return torch.export.export(student.eval(), (EXAMPLE,), strict=True)


def loaded(buffer: bytes, folder: Path) -> object:
    (folder / "student.pte").write_bytes(buffer)
    return Runtime.get().load_program(folder / "student.pte")


def test_a_lowered_student_is_one_subgraph_and_computes_the_same(tmp_path: Path) -> None:
    lowered = lower_to_xnnpack(exported(TinyStudent()), METADATA)
    assert lowered.delegation.subgraphs == 1
    assert lowered.delegation.delegated > 5
    program = loaded(lowered.buffer, tmp_path)
    outputs = program.load_method("forward").execute([EXAMPLE])
    for found, expected in zip(outputs, TinyStudent().eval()(EXAMPLE)):
        np.testing.assert_allclose(found.numpy(), expected.detach().numpy(), atol=1e-5)


def test_a_program_carries_its_metadata_as_bytes(tmp_path: Path) -> None:
    program = loaded(lower_to_xnnpack(exported(TinyStudent()), METADATA).buffer, tmp_path)
    (text,) = program.load_method("metadata").execute([])
    assert (text.dtype, text.ndim) == (torch.uint8, 1)
    assert json.loads(bytes(text.numpy())) == METADATA


def test_two_lowerings_of_one_student_are_the_same_bytes() -> None:
    first, second = (lower_to_xnnpack(exported(TinyStudent()), METADATA).buffer for _ in range(2))
    assert first == second


def test_metadata_in_another_order_gives_the_same_bytes() -> None:
    turned = dict(reversed(METADATA.items()))
    first, second = (lower_to_xnnpack(exported(TinyStudent()), m).buffer for m in (METADATA, turned))
    assert first == second


@pytest.mark.parametrize(
    ("student", "operator"),
    [(Sorting(), "aten_sort"), (TinyStudent(integer_factor=True), "to_dim_order_copy")],
    ids=["an operator that XNNPACK lacks", "an integer literal, which becomes a cast"],
)
def test_what_the_backend_does_not_take_is_an_error_that_names_it(student: nn.Module, operator: str) -> None:
    with pytest.raises(DelegationError, match=operator):
        lower_to_xnnpack(exported(student), METADATA)


def test_a_coreml_program_is_one_subgraph() -> None:
    pytest.importorskip("coremltools")
    lowered = lower_to_coreml_pte(exported(TinyStudent()), METADATA)
    assert lowered.delegation.subgraphs == 1
    assert lowered.buffer[4:8] == b"ET12"


@pytest.mark.slow
def test_the_int8_graph_of_a_real_network_is_one_small_subgraph() -> None:
    lowered = lower_to_xnnpack(small_student.exported_int8(), small_student.METADATA)
    assert lowered.delegation.subgraphs == 1
    float_bytes = sum(p.numel() * 4 for p in small_student.small_student().parameters())
    assert len(lowered.buffer) < 0.3 * float_bytes
