"""Small packages written with coremltools' own Builder, for the interpreter's tests."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mobile_export.verify.mil_reference import MilProgram

logging.getLogger("coremltools").setLevel(logging.ERROR)
ct = pytest.importorskip("coremltools")
mb = ct.converters.mil.Builder
IOS17 = ct.target.iOS17


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def save(model: ct.models.MLModel, folder: Path) -> Path:
    path = folder / "program.mlpackage"
    model.save(str(path))
    return path


def package(folder: Path, shape: tuple[int, ...], body: Callable) -> Path:
    """A package whose program computes ``body(x)`` in float32, written without optimisation."""

    @mb.program(input_specs=[mb.TensorSpec(shape)], opset_version=IOS17)
    def program(x):
        return body(x)

    model = ct.convert(
        program,
        minimum_deployment_target=IOS17,
        compute_precision=ct.precision.FLOAT32,
        pass_pipeline=ct.PassPipeline.EMPTY,
        skip_model_load=True,
    )
    return save(model, folder)


def outcome(path: Path, x: np.ndarray) -> np.ndarray:
    program = MilProgram.read(path)
    return program.run({"x": x})[program.outputs[0]]
