"""Writing Core ML packages, ``.mlpackage``, from exported graphs. Conversion needs no Mac; prediction does.

Four recipes: float16, W8A8 (int8 weights and activations, from a converted PT2E graph), int8 weights alone and
palettized weights (a lookup table of 2^bits values for each layer), both with float16 activations. All have one
input ``photo``, the outputs ``quality`` and ``map``, float32 at the border, and iOS 17 as oldest target.

Two builds from one graph give the same bytes: coremltools dates its packages and names their parts at random,
so both are rewritten after the conversion.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import shutil
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from coremltools.models import MLModel

INPUT_NAME = "photo"
OUTPUT_NAMES = ("quality", "map")
# The key of the user-defined metadata that holds the artifact's metadata as JSON.
METADATA_KEY = "pocketiqa"
PALETTE_BITS = (4, 6, 8)

_CONVERSION_DATE = "com.github.apple.coremltools.conversion_date"


def convert_fp16(exported: torch.export.ExportedProgram, metadata: dict, path: Path) -> Path:
    """Write a float graph as a package that computes in float16.

    Args:
        exported: float graph with one input ``V×3×H×W`` of fixed size and the outputs ``quality``, ``map``.
        metadata: JSON-serialisable; stored in the package's user-defined metadata under ``pocketiqa``.
        path: of the ``.mlpackage`` to write; an older one is replaced.

    Returns:
        ``path``.

    Raises:
        ValueError: the graph does not have the student's signature, or ``path`` another suffix.
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
            "for a float graph use convert_fp16 or convert_palettized"
        )
    return _write(_convert(_with_plain_scalars(converted)), metadata, path)


def convert_int8_weights(exported: torch.export.ExportedProgram, metadata: dict, path: Path) -> Path:
    """Write a float graph whose convolution weights are int8, a scale for each output channel; activations float16.

    The heads stay in float16, as in :func:`convert_palettized`. Otherwise as :func:`convert_fp16`.
    """
    model = _convert(exported)
    with _quiet():
        import coremltools.optimize.coreml as cto

        config = cto.OptimizationConfig(
            global_config=cto.OpLinearQuantizerConfig(mode="linear_symmetric", granularity="per_channel"),
            op_type_configs={"linear": None},
        )
        model = cto.linear_quantize_weights(model, config)
    return _write(model, metadata, path)


def convert_palettized(exported: torch.export.ExportedProgram, metadata: dict, path: Path, bits: int) -> Path:
    """Write a float graph whose convolution weights are ``bits``-wide indices into a k-means table per layer.

    The heads and the depthwise convolutions stay in float16: both are small, a score is only as fine as its
    last layer, and one table does not fit depthwise channels whose ranges lie orders of magnitude apart.
    Otherwise as :func:`convert_fp16`.

    Args:
        bits: 4, 6 or 8.

    Raises:
        ValueError: also if ``bits`` is none of these.
    """
    if bits not in PALETTE_BITS:
        raise ValueError(f"palettes have {', '.join(map(str, PALETTE_BITS))} bits, not {bits!r}")
    model = _convert(exported)
    with _quiet():
        import coremltools.optimize.coreml as cto

        weights = cto.get_weights_metadata(model)
        depthwise = {name: None for name, weight in weights.items() if weight.val.shape[1:2] == (1,)}
        config = cto.OptimizationConfig(
            global_config=cto.OpPalettizerConfig(mode="kmeans", nbits=bits),
            op_type_configs={"linear": None},
            op_name_configs=depthwise,
        )
        model = cto.palettize_weights(model, config)
    return _write(model, metadata, path)


def _convert(exported: torch.export.ExportedProgram) -> MLModel:
    shape = _photo_shape(exported)
    with _quiet():
        try:
            import coremltools as ct
        except ImportError as error:
            raise RuntimeError(
                "coremltools is not installed: it exists for macOS and for Linux on x86-64, Python below "
                "3.14; build the Core ML packages there"
            ) from error
        return ct.convert(
            exported.run_decompositions({}),
            inputs=[ct.TensorType(INPUT_NAME, shape=shape, dtype=np.float32)],
            outputs=[ct.TensorType(name, dtype=np.float32) for name in OUTPUT_NAMES],
            convert_to="mlprogram",
            minimum_deployment_target=ct.target.iOS17,
            compute_precision=ct.precision.FLOAT16,
            skip_model_load=True,
        )


def _with_plain_scalars(converted: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    """Replace scalars that PT2E quantized, such as those of a normalization, by the float each stands for.

    coremltools 9.0 subtracts a scalar's zero point in int8, which wraps around: 127 − (−128) becomes −1, and
    a factor of 2.0 becomes −0.008, without a word.
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
    if not static or len(shapes[0]) != 4 or len(signature.user_outputs) != len(OUTPUT_NAMES):
        raise ValueError(
            f"the graph has inputs {shapes} and {len(signature.user_outputs)} outputs; a student has one "
            f"photo V×3×H×W of fixed size and the outputs {' and '.join(OUTPUT_NAMES)}. Export it with one "
            "example photo"
        )
    return shapes[0]


def _write(model: MLModel, metadata: dict, path: Path) -> Path:
    path = Path(path)
    if path.suffix != ".mlpackage":
        raise ValueError(f"a Core ML package is called something.mlpackage, not {path.name!r}")
    model.user_defined_metadata[METADATA_KEY] = json.dumps(metadata, sort_keys=True, ensure_ascii=False)
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
    (package / "Manifest.json").write_text(json.dumps(manifest, sort_keys=True, indent=4))

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
