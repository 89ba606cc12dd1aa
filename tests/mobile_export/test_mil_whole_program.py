"""Whole packages through the interpreter, against the torch graphs that they were converted from."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import small_student
import torch
from scipy.stats import spearmanr

from mobile_export.verify.bounds import Scales, same_int8_graph
from mobile_export.verify.mil_reference import MilProgram
from mobile_export.verify.rounding import Rounding

ct = pytest.importorskip("coremltools")


def scores(run: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Score of every photo and every attribute, n×7."""
    return np.concatenate([run(photo) for photo in small_student.photos()])


def graph_scores(exported: torch.export.ExportedProgram) -> np.ndarray:
    module = exported.module()
    with torch.no_grad():
        return scores(lambda photo: module(torch.from_numpy(photo))[0].numpy())


def package_scores(path: Path, precision: str) -> np.ndarray:
    program = MilProgram.read(path)
    return scores(lambda photo: program.run({"photo": photo}, precision)["quality"])


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_the_float16_package_scores_like_the_float_graph(fp16: Path, precision: str) -> None:
    expected = graph_scores(small_student.exported_float())
    found = package_scores(fp16, precision)
    # float16 keeps 11 bits of every weight; the bound is a hundredth of what the scores vary by.
    assert np.abs(found - expected).mean() < 1e-2 * expected.std(0).mean()
    assert np.mean([spearmanr(a, b).statistic for a, b in zip(found.T, expected.T)]) > 0.999


def test_what_the_float16_package_loses_is_the_rounding_of_its_weights(tmp_path: Path) -> None:
    with torch.no_grad():
        exported = small_student.exported_float().run_decompositions({})
    model = ct.convert(
        exported,
        inputs=[ct.TensorType("photo", shape=small_student.photos()[0].shape, dtype=np.float32)],
        outputs=[ct.TensorType("quality"), ct.TensorType("map")],
        minimum_deployment_target=ct.target.iOS17,
        compute_precision=ct.precision.FLOAT32,
        skip_model_load=True,
    )
    path = tmp_path / "float32.mlpackage"
    model.save(str(path))
    expected = graph_scores(small_student.exported_float())
    np.testing.assert_allclose(package_scores(path, "float32"), expected, atol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_the_w8a8_package_is_as_close_to_its_graph_as_rounding_explains(w8a8: Path, precision: str) -> None:
    graph = small_student.exported_int8()
    expected = graph_scores(graph)
    found = package_scores(w8a8, precision)
    # A wrong constant would be ten times further away.
    rounding = Rounding.of(graph.module(), small_student.photos(), expected)
    allowed = same_int8_graph(Scales(0.0, rounding, small_student.PROMISE))
    assert not allowed.broken(expected, found)
    assert min(spearmanr(a, b).statistic for a, b in zip(found.T, expected.T)) > 0.97


def test_constants_agree_with_coremltools_own_reader(w8a8: Path) -> None:
    from coremltools.converters.mil.frontend.milproto.load import load

    model = ct.models.MLModel(str(w8a8), skip_model_load=True)
    spec = model.get_spec()
    theirs = load(spec, specification_version=spec.specificationVersion, file_weights_dir=model.weights_dir)
    ours = MilProgram.read(w8a8)._constants["float32"]
    compared = 0
    for operation in theirs.functions["main"].operations:
        if not operation.op_type.startswith("const"):
            continue
        output = operation.outputs[0]
        if output.name not in ours:  # our reader keeps a compressed weight's scales with the weight
            continue
        compressed = operation.op_type.startswith("constexpr")
        value = operation.materialized_val_inference() if compressed else output.val
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            # A product of two float16 numbers is rounded once more by coremltools.
            np.testing.assert_allclose(ours[output.name].numpy(), value, rtol=1e-3 if compressed else 0)
            compared += 1
    assert compared > 30
