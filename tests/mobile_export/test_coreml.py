import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import small_student
import torch
from pocketiqa.runtimes.program import METADATA_KEY
from torch import nn

from mobile_export.lower.coreml import convert_fp16, convert_w8a8, unsupported_by_coreml
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


class ScoreAlone(TinyStudent):
    def forward(self, photo: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return super().forward(photo)[:1]


class ThreeOutputs(TinyStudent):
    def forward(self, photo: torch.Tensor) -> tuple[torch.Tensor, ...]:
        quality, local = super().forward(photo)
        return quality, local, quality + 1.0


class Polygamma(TinyStudent):
    def forward(self, photo: torch.Tensor) -> tuple[torch.Tensor, ...]:
        quality, local = super().forward(photo)
        return torch.special.polygamma(1, quality), local


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


def test_a_package_that_coremltools_has_opened_keeps_its_bytes(
    exported: torch.export.ExportedProgram, tmp_path: Path
) -> None:
    import coremltools

    package = convert_fp16(exported, METADATA, tmp_path / "student.mlpackage")
    before = inner_hashes(package)
    coremltools.models.MLModel(str(package), skip_model_load=True)
    assert inner_hashes(package) == before


def test_a_build_replaces_an_older_one_and_leaves_nothing_else(
    exported: torch.export.ExportedProgram, tmp_path: Path
) -> None:
    path = tmp_path / "student.mlpackage"
    path.mkdir()
    (path / "left over").write_text("from an older build")
    convert_fp16(exported, METADATA, path)
    assert [file.name for file in tmp_path.iterdir()] == ["student.mlpackage"]
    assert "left over" not in {file.name for file in path.iterdir()}


def test_a_network_without_a_map_gives_a_package_with_one_output(tmp_path: Path) -> None:
    exported = torch.export.export(ScoreAlone().eval(), (EXAMPLE,))
    program = MilProgram.read(convert_fp16(exported, METADATA, tmp_path / "score.mlpackage"))
    assert program.outputs == ("quality",)


def test_an_operator_that_coremltools_lacks_is_named_before_anything_is_built(
    exported: torch.export.ExportedProgram,
) -> None:
    assert unsupported_by_coreml(exported) == []
    assert unsupported_by_coreml(small_student.exported_int8()) == []
    (operator,) = unsupported_by_coreml(torch.export.export(Polygamma().eval(), (EXAMPLE,)))
    assert "polygamma" in operator


def test_what_is_no_quality_network_is_refused(exported: torch.export.ExportedProgram, tmp_path: Path) -> None:
    path = tmp_path / "student.mlpackage"
    with pytest.raises(ValueError, match="3 outputs"):
        convert_fp16(torch.export.export(ThreeOutputs().eval(), (EXAMPLE,)), METADATA, path)
    with pytest.raises(ValueError, match="no quantize operator"):
        convert_w8a8(exported, METADATA, path)
    with pytest.raises(ValueError, match="mlpackage"):
        convert_fp16(exported, METADATA, tmp_path / "student.mlmodel")
    assert list(tmp_path.iterdir()) == []


def test_a_quantized_scalar_keeps_its_value(w8a8: Path) -> None:
    # ``photo * 2.0``, quantized by PT2E: coremltools would write −0.008 for 2.0.
    program = MilProgram.read(w8a8)
    photo = small_student.photos()[0]
    trace = {program.operators[name]: value for name, value in program.trace({"photo": photo})}
    assert trace["mul"].max() > 1.8
