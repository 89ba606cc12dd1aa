"""Writing Core ML packages, ``.mlpackage``, from exported graphs. Conversion needs no Mac; prediction does.

Two recipes: float16, and W8A8 (int8 weights and activations, from a converted PT2E graph). Both have one input
``photo``, the output ``quality`` and, where the network has one, ``map``, float32 at the border, and iOS 17 as oldest
target.

Two builds from one graph give the same bytes: coremltools dates its packages and names their parts at random,
so both are rewritten after the conversion.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import operator
import shutil
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from pocketiqa.runtimes.program import METADATA_KEY

from mobile_export.lower.request import Request

if TYPE_CHECKING:
    from coremltools.models import MLModel

INPUT_NAME = "photo"
OUTPUT_NAMES = ("quality", "map")

_CONVERSION_DATE = "com.github.apple.coremltools.conversion_date"


def write_fp16(request: Request) -> None:
    """Write a float graph as a package; see :func:`convert_fp16`."""
    convert_fp16(request.graph, request.metadata, request.path)


def write_w8a8(request: Request) -> None:
    """Write an int8 graph as a package; see :func:`convert_w8a8`."""
    convert_w8a8(request.graph, request.metadata, request.path)


def unsupported_by_coreml(exported: torch.export.ExportedProgram) -> list[str]:
    """Operators of a graph that coremltools has no lowering for; sorted, none where it takes all."""
    take_aliases()
    with _quiet():
        from coremltools.converters.mil.frontend.torch.torch_op_registry import _TORCH_OPS_REGISTRY

    targets = {node.target for node in exported.run_decompositions({}).graph.nodes if node.op == "call_function"}
    names = {str(target) for target in targets if target is not operator.getitem}
    return sorted(name for name in names if _TORCH_OPS_REGISTRY.get_func(name) is None)


def take_aliases() -> None:
    """Let coremltools take ``aten.alias``, which gives its input back as ``clone`` does; version 9.0 knows it not."""
    with _quiet():
        from coremltools.converters.mil.frontend.torch.torch_op_registry import _TORCH_OPS_REGISTRY

    if _TORCH_OPS_REGISTRY.get_func("alias") is None:
        _TORCH_OPS_REGISTRY.set_func_by_name(_TORCH_OPS_REGISTRY.get_func("clone"), "alias")


def convert_fp16(exported: torch.export.ExportedProgram, metadata: dict, path: Path) -> Path:
    """Write a float graph as a package that computes in float16.

    Args:
        exported: float graph with one input ``V×3×H×W`` of fixed size and the output ``quality``, or ``quality`` and
            ``map``.
        metadata: JSON-serialisable; stored in the package's user-defined metadata under ``pocketiqa``.
        path: of the ``.mlpackage`` to write; an older one is replaced.

    Returns:
        ``path``.

    Raises:
        ValueError: the graph does not have a quality network's signature, or ``path`` another suffix.
        RuntimeError: coremltools is not installed here.
    """
    return _write(_convert(exported), metadata, path)


def convert_w8a8(converted: torch.export.ExportedProgram, metadata: dict, path: Path) -> Path:
    """Write a converted int8 graph as a package with int8 weights and int8 activations.

    ``converted`` is ``torch.export.export(convert_pt2e(prepared), …)``; its quantize and dequantize operators
    become Core ML's own, so the package quantizes exactly where the graph does. What the graph keeps in float
    runs in float16, and scales are rounded to float16. Otherwise as :func:`convert_fp16`.

    Raises:
        ValueError: also if the graph holds no quantize operator.
    """
    if not any("quantize_per_tensor" in str(node.target) for node in converted.graph.nodes):
        raise ValueError(
            "this graph has no quantize operator: W8A8 needs the graph that convert_pt2e returns; "
            "for a float graph use convert_fp16"
        )
    return _write(_convert(with_plain_scalars(converted)), metadata, path)


def _convert(exported: torch.export.ExportedProgram) -> MLModel:
    shape = _photo_shape(exported)
    names = OUTPUT_NAMES[: len(exported.graph_signature.user_outputs)]
    with _quiet():
        try:
            take_aliases()
            import coremltools as ct
        except ImportError as error:
            raise RuntimeError(
                "coremltools is not installed: it exists for macOS and for Linux on x86-64, Python below "
                "3.14; build the Core ML packages there"
            ) from error
        return ct.convert(
            exported.run_decompositions({}),
            inputs=[ct.TensorType(INPUT_NAME, shape=shape, dtype=np.float32)],
            outputs=[ct.TensorType(name, dtype=np.float32) for name in names],
            convert_to="mlprogram",
            minimum_deployment_target=ct.target.iOS17,
            compute_precision=ct.precision.FLOAT16,
            skip_model_load=True,
        )


def with_plain_scalars(converted: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    """Replace scalars that PT2E quantized, such as those of a normalization, by the float each stands for.

    litert-torch knows no rounded scalar, and coremltools 9.0 subtracts a scalar's zero point in int8, which wraps
    around: 127 − (−128) becomes −1, and a factor of 2.0 becomes −0.008, without a word.
    """
    module = converted.module()
    for node in module.graph.nodes:
        is_dequantize = node.target is torch.ops.quantized_decomposed.dequantize_per_tensor.default
        if not is_dequantize or node.meta["val"].ndim != 0:
            continue
        value = _constant(module, node).item()
        for user in list(node.users):
            user.args = tuple(value if argument is node else argument for argument in user.args)
    module.graph.eliminate_dead_code()
    module.recompile()
    return torch.export.export(module, (torch.zeros(_photo_shape(converted)),))


def _constant(module: torch.fx.GraphModule, node: torch.fx.Node) -> torch.Tensor:
    if node.op == "get_attr":
        return getattr(module, node.target)
    arguments = [_constant(module, a) if isinstance(a, torch.fx.Node) else a for a in node.args]
    return node.target(*arguments)


def _photo_shape(exported: torch.export.ExportedProgram) -> tuple[int, ...]:
    signature = exported.graph_signature
    inputs = [node for node in exported.graph.nodes if node.name in signature.user_inputs]
    shapes = [tuple(node.meta["val"].shape) for node in inputs]
    static = len(shapes) == 1 and all(isinstance(size, int) for size in shapes[0])
    if not static or len(shapes[0]) != 4 or not 1 <= len(signature.user_outputs) <= len(OUTPUT_NAMES):
        raise ValueError(
            f"the graph has inputs {shapes} and {len(signature.user_outputs)} outputs; a quality network has one "
            f"photo V×3×H×W of fixed size and the outputs quality, or {' and '.join(OUTPUT_NAMES)}. Export it with "
            "one example photo"
        )
    return shapes[0]


def _write(model: MLModel, metadata: dict, path: Path) -> Path:
    path = Path(path)
    if path.suffix != ".mlpackage":
        raise ValueError(f"a Core ML package is called something.mlpackage, not {path.name!r}")
    text = json.dumps(metadata, sort_keys=True, ensure_ascii=False, allow_nan=False)
    model.user_defined_metadata[METADATA_KEY] = text
    path.parent.mkdir(parents=True, exist_ok=True)
    # coremltools wants the suffix, so the temporary name carries it too.
    temporary = path.with_name(f".{path.stem}.partial.mlpackage")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with _quiet():
            model.save(str(temporary))
        make_reproducible(temporary)
        shutil.rmtree(path, ignore_errors=True)
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return path


def make_reproducible(package: Path) -> None:
    """Rewrite a package's dates, identifiers and order of dictionaries, so that its bytes follow from its model."""
    from coremltools.proto import Model_pb2

    # Written for ExecuTorch's debugger when a graph came from torch.export; no device reads it.
    (package / "executorch_debug_handle_mapping.json").unlink(missing_ok=True)

    manifest = json.loads((package / "Manifest.json").read_text())
    items = manifest["itemInfoEntries"]
    stable = {key: str(uuid.uuid5(uuid.NAMESPACE_URL, item["path"])) for key, item in items.items()}
    manifest["itemInfoEntries"] = {stable[key]: item for key, item in items.items()}
    manifest["rootModelIdentifier"] = stable[manifest["rootModelIdentifier"]]
    # As coremltools writes it, with its newline: it writes the file again whenever it opens a package, and a bundle
    # must be whole after someone has looked into it.
    (package / "Manifest.json").write_text(json.dumps(manifest, sort_keys=True, indent=4, allow_nan=False) + "\n")

    specification = package / "Data" / "com.apple.CoreML" / "model.mlmodel"
    model = Model_pb2.Model.FromString(specification.read_bytes())
    model.description.metadata.userDefined.pop(_CONVERSION_DATE, None)
    # Protocol buffers hold dictionaries in arbitrary order unless told otherwise.
    specification.write_bytes(model.SerializeToString(deterministic=True))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide coremltools' progress bars and its remarks on untested versions; errors still rise."""
    logger = logging.getLogger("coremltools")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
