"""Artifacts of the small student, made once for all test files of this room."""

from __future__ import annotations

from pathlib import Path

import pytest
import small_student

from mobile_export.lower.coreml import convert_fp16, convert_w8a8
from mobile_export.lower.executorch import LoweredProgram, lower_to_xnnpack


@pytest.fixture(scope="session")
def fp16(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small student as float16 package."""
    pytest.importorskip("coremltools")
    path = tmp_path_factory.mktemp("fp16") / "student.mlpackage"
    return convert_fp16(small_student.exported_float(), small_student.METADATA, path)


@pytest.fixture(scope="session")
def w8a8(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small student as W8A8 package."""
    pytest.importorskip("coremltools")
    path = tmp_path_factory.mktemp("w8a8") / "student.mlpackage"
    return convert_w8a8(small_student.exported_int8(), small_student.METADATA, path)


@pytest.fixture(scope="session")
def int8() -> LoweredProgram:
    """The small student's int8 graph, lowered to XNNPACK."""
    return lower_to_xnnpack(small_student.exported_int8(), small_student.METADATA)
