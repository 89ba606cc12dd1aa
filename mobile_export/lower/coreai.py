"""Writing Core AI models, ``.aimodel``, from exported graphs, and running them in Apple's own runtime, on Linux too.

Core AI is Core ML's successor in iOS and macOS 27. An int8 graph is written as it rounds: a quantize and a dequantize
operator wherever the graph has one, with the graph's own scales, zero points and int8 weights. Two builds from one
graph give the same bytes: coreai draws names at random and dates its files, so names are given by order and the date is
left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
import torch
from pocketiqa.errors import RuntimeUnavailable, one_line
from pocketiqa.runtimes.program import METADATA_KEY
from pocketiqa.standard_error import quiet_runtimes

from mobile_export.lower.coreml import INPUT_NAME, OUTPUT_NAMES
from mobile_export.lower.request import Request, Run

if TYPE_CHECKING:
    from coreai.authoring import AIModelAsset, AIProgram
    from coreai_torch import TorchConverter

PROGRAM = "main.mlirb"  # the file inside a model that holds its operators and constants

_HASH = "main.hash"  # of the program, sha256
_PER_TENSOR = "quantized_decomposed::{}_per_tensor.default"
_PER_CHANNEL = "quantized_decomposed::dequantize_per_channel.default"
_UNKNOWN = re.compile(r"(?:ATen|non-decomposed) ops: (.+?)\. (?:Use|Please) ")
_RANDOM_NAME = re.compile(r"\bresource_\d+\b")


def write_coreai(request: Request) -> None:
    """Write a float or a converted int8 graph, float32 wherever it does not round.

    The model has the function ``main`` with the input ``photo``, the output ``quality`` and, where the network has one,
    ``map``; its metadata hold the artifact's own as JSON.
    """
    with _quiet():
        from coreai.authoring import AIProgram
        from coreai.authoring.context import Context
        from coreai.runtime import AIModelAssetMetadata

        program = convert(request.graph, OUTPUT_NAMES[: len(request.graph.graph_signature.user_outputs)])
        # What the text leaves out is where in torch's graph an operator came from: names of Python classes.
        text, names = str(program._module._mlir_module), {}
        text = _RANDOM_NAME.sub(lambda found: names.setdefault(found[0], f"constant_{len(names)}"), text)
        metadata = AIModelAssetMetadata()
        described = json.dumps(request.metadata, sort_keys=True, ensure_ascii=False, allow_nan=False)
        metadata.set_custom(METADATA_KEY, described)
        context = Context()._mlir_context
        with context:
            parsed = type(program._module._mlir_module).parse(text)
        AIProgram._from_mlir_module(parsed).save_asset(request.path, metadata)
    _forget_the_date(request.path)


def open_coreai(path: Path) -> Run:
    """The quality vector that Apple's runtime gives on the processor; it takes seconds a photo on Linux."""

    async def score(views: np.ndarray) -> np.ndarray:
        from coreai.runtime import NDArray

        async with load_model(path).executable() as model:
            outputs = await model.load_function("main")({INPUT_NAME: NDArray(np.ascontiguousarray(views))})
            return outputs[OUTPUT_NAMES[0]].numpy().copy()

    def run(views: np.ndarray) -> np.ndarray:
        try:
            with quiet_runtimes():
                return asyncio.run(score(views))
        except RuntimeUnavailable:
            raise
        except (RuntimeError, KeyError, ValueError) as error:
            raise RuntimeUnavailable(f"Core AI does not run {path.name}: {one_line(error)}") from error

    return run


def load_model(path: Path) -> AIModelAsset:
    """A model as it lies on disk.

    Raises:
        RuntimeUnavailable: its program is not the one that its own hash names; Apple's reader would end the process.
    """
    from coreai.authoring import AIModelAsset

    if sha256((path / PROGRAM).read_bytes()).digest() != (path / _HASH).read_bytes():
        raise RuntimeUnavailable(f"{path.name}/{PROGRAM} is not what {path.name}/{_HASH} says; copy the model anew")
    return AIModelAsset.load(path)


@lru_cache(maxsize=1)  # two artifacts ask about one graph, and an answer takes seconds
def unsupported_by_coreai(exported: torch.export.ExportedProgram) -> list[str]:
    """Operators of a graph that coreai-torch has no lowering for; none where it takes all."""
    with _quiet():
        from coreai_torch import TorchConverter, get_decomp_table

        try:
            TorchConverter().add_exported_program(exported.run_decompositions(get_decomp_table()))
        except ValueError as error:
            if (found := _UNKNOWN.search(str(error))) is None:
                raise
            return found[1].split(", ")
    return []


def convert(exported: torch.export.ExportedProgram, output_names: Sequence[str]) -> AIProgram:
    """A float or a converted int8 graph as a program of Core AI."""
    from coreai_torch import TorchConverter, get_decomp_table

    converter = TorchConverter(mode=TorchConverter.Mode.RELEASE)
    _take_int8(converter)
    decomposed = exported.run_decompositions(get_decomp_table())
    converter.add_exported_program(decomposed, input_names=[INPUT_NAME], output_names=list(output_names))
    # Each pooling becomes a function whose name ends in letters drawn at random.
    with patch("coreai.authoring.func.choice", random.Random(0).choice):
        return converter.to_coreai()


def _take_int8(converter: TorchConverter) -> None:
    """Let the converter take the operators that PT2E rounds with; Core AI has both, for a tensor and for channels."""
    from coreai._compiler.dialects import coreai
    from coreai_torch._utils import get_operand

    def per_tensor(operator: Callable) -> Callable:
        def lower(values: dict, node: torch.fx.Node, loc: Any) -> Any:
            _, scale, zero_point, *_ = node.args
            given = (np.float32(scale), np.int8(zero_point), np.float32(0), np.int32(0))
            constants = [coreai.constant(np.array(value), loc=loc) for value in given]
            return operator(get_operand(values, node, 0, loc), *constants, loc=loc)

        return lower

    def per_channel(values: dict, node: torch.fx.Node, loc: Any) -> Any:
        channels, axis = node.args[1].meta["val"].shape[0], node.args[3]
        codes, scales = (get_operand(values, node, place, loc) for place in (0, 1))
        # XNNPACK's weights are symmetric: their zero points are zeros.
        given = (np.zeros(channels, np.int8), np.zeros(channels, np.float32), np.array(axis, np.int32))
        return coreai.dequantize(codes, scales, *(coreai.constant(value, loc=loc) for value in given), loc=loc)

    for name in ("quantize", "dequantize"):
        converter.register_torch_lowering(_PER_TENSOR.format(name))(per_tensor(getattr(coreai, name)))
    converter.register_torch_lowering(_PER_CHANNEL)(per_channel)


def _forget_the_date(model: Path) -> None:
    path = model / "metadata.json"
    metadata = json.loads(path.read_text())
    metadata.pop("creationDate", None)
    path.write_text(json.dumps(metadata, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide the converter's progress and its remark on torch's version; errors still rise."""
    with quiet_runtimes(), contextlib.redirect_stdout(io.StringIO()):
        yield
