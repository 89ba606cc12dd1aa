import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import small_student
import torch
from torch import nn

from mobile_export.lower.coreml import (
    METADATA_KEY,
    convert_fp16,
    convert_int8_weights,
    convert_palettized,
    convert_w8a8,
)
from mobile_export.verify.mil_reference import MilProgram

pytest.importorskip("coremltools")

METADATA = {"name": "Prüfling", "input": {"height": 32, "width": 48}}
EXAMPLE = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(0))


class TinyStudent(nn.Module):
    """The student's signature, with a depthwise and a wide convolution."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 64, 3, stride=16, padding=1)
        self.depthwise = nn.Conv2d(64, 64, 3, padding=1, groups=64)
        self.wide = nn.Conv2d(64, 128, 1, stride=2)
        self.head = nn.Linear(128, 7)
        self.map_head = nn.Conv2d(128, 1, 1)

    def forward(self, photo: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.wide(self.depthwise(torch.relu(self.stem(photo * 2.0 - 1.0))))
        pooled = nn.functional.adaptive_avg_pool2d(features, 1).flatten(1)
        return torch.sigmoid(self.head(pooled)), torch.sigmoid(self.map_head(features)).flatten(1, 2)


class OneOutput(TinyStudent):
    def forward(self, photo: torch.Tensor) -> torch.Tensor:
        return super().forward(photo)[0]


@pytest.fixture(scope="module")
def exported() -> torch.export.ExportedProgram:
    return torch.export.export(TinyStudent().eval(), (EXAMPLE,), strict=True)


def inner_hashes(package: Path) -> dict[str, str]:
    files = sorted(file for file in package.rglob("*") if file.is_file())
    return {str(f.relative_to(package)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def test_a_package_has_the_students_signature_and_its_metadata(
    exported: torch.export.ExportedProgram, tmp_path: Path
) -> None:
    program = MilProgram.read(convert_fp16(exported, METADATA, tmp_path / "student.mlpackage"))
    assert program.inputs == {"photo": (1, 3, 32, 48)}
    assert program.outputs == ("quality", "map")
    assert json.loads(program.metadata[METADATA_KEY]) == METADATA


def test_a_float16_package_computes_what_the_graph_computes(
    exported: torch.export.ExportedProgram, tmp_path: Path
) -> None:
    program = MilProgram.read(convert_fp16(exported, METADATA, tmp_path / "student.mlpackage"))
    found = program.run({"photo": EXAMPLE.numpy()}, "float16")
    for name, expected in zip(("quality", "map"), exported.module()(EXAMPLE)):
        np.testing.assert_allclose(found[name], expected.detach().numpy(), atol=2e-3)


def test_two_builds_have_the_same_bytes_in_every_file(
    exported: torch.export.ExportedProgram, tmp_path: Path
) -> None:
    builds = [convert_fp16(exported, METADATA, tmp_path / n / "student.mlpackage") for n in ("one", "two")]
    first, second = (inner_hashes(build) for build in builds)
    assert first == second
    assert "Data/com.apple.CoreML/weights/weight.bin" in first


def test_a_build_replaces_an_older_one_and_leaves_nothing_else(
    exported: torch.export.ExportedProgram, tmp_path: Path
) -> None:
    path = tmp_path / "student.mlpackage"
    path.mkdir()
    (path / "left over").write_text("from an older build")
    convert_fp16(exported, METADATA, path)
    assert [file.name for file in tmp_path.iterdir()] == ["student.mlpackage"]
    assert "left over" not in {file.name for file in path.iterdir()}


def test_int8_weights_are_multiples_of_a_scale_for_each_channel_and_spare_the_heads(
    exported: torch.export.ExportedProgram, tmp_path: Path
) -> None:
    program = MilProgram.read(convert_int8_weights(exported, METADATA, tmp_path / "student.mlpackage"))
    quantized = {name: constant for name, constant in program._constants["float32"].items() if "quantized" in name}
    assert (128, 64, 1, 1) in {tuple(weight.shape) for weight in quantized.values()}
    assert all(weight.ndim == 4 for weight in quantized.values())
    for weight in quantized.values():
        steps = weight.flatten(1) / (weight.flatten(1).abs().amax(1, keepdim=True) / 127)
        assert (steps - steps.round()).abs().max() < 0.1  # scales are float16


@pytest.mark.parametrize("bits", [4, 6, 8])
def test_a_palette_has_as_many_entries_as_its_bits_allow_and_spares_heads_and_depthwise(
    bits: int, exported: torch.export.ExportedProgram, tmp_path: Path
) -> None:
    path = convert_palettized(exported, METADATA, tmp_path / "student.mlpackage", bits)
    program = MilProgram.read(path)
    palettized = {
        name: constant for name, constant in program._constants["float32"].items() if "palettized" in name
    }
    assert [tuple(constant.shape) for constant in palettized.values()] == [(128, 64, 1, 1)]
    assert all(len(torch.unique(constant)) <= 2**bits for constant in palettized.values())


@pytest.mark.parametrize("bits", [0, 5, 16])
def test_a_palette_of_other_bits_is_refused(
    bits: int, exported: torch.export.ExportedProgram, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="4, 6, 8 bits"):
        convert_palettized(exported, METADATA, tmp_path / "student.mlpackage", bits)


def test_what_is_not_a_student_is_refused(exported: torch.export.ExportedProgram, tmp_path: Path) -> None:
    path = tmp_path / "student.mlpackage"
    with pytest.raises(ValueError, match="1 outputs"):
        convert_fp16(torch.export.export(OneOutput().eval(), (EXAMPLE,)), METADATA, path)
    with pytest.raises(ValueError, match="no quantize operator"):
        convert_w8a8(exported, METADATA, path)
    with pytest.raises(ValueError, match="mlpackage"):
        convert_fp16(exported, METADATA, tmp_path / "student.mlmodel")
    assert list(tmp_path.iterdir()) == []


def test_a_quantized_scalar_keeps_its_value(w8a8: Path) -> None:
    # The normalization ``photo * 2.0 - 1.0``, quantized by PT2E: coremltools would write −0.008 for 2.0.
    program = MilProgram.read(w8a8)
    photo = small_student.photos()[0]
    trace = {program.operators[name]: value for name, value in program.trace({"photo": photo})}
    for operator in ("mul", "sub"):
        assert trace[operator].max() > 0.9, operator
