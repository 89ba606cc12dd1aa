"""Writing ONNX files, ``.onnx``, from exported graphs, and running them in ONNX Runtime and in OpenVINO.

An int8 graph is written as it rounds: a QuantizeLinear and a DequantizeLinear wherever the graph has one, with the
graph's own scales and zero points (QDQ); nothing is calibrated anew. Two builds from one graph give the same bytes: the
exporter's remarks beside each node, names of Python classes and paths of this machine, are dropped.
"""

from __future__ import annotations

import json
import re
import warnings
from functools import lru_cache
from pathlib import Path

import onnx
import torch
from pocketiqa.runtime import load_program
from pocketiqa.runtimes.program import METADATA_KEY

from mobile_export.lower.coreml import INPUT_NAME, OUTPUT_NAMES
from mobile_export.lower.request import Request, Run

OPSET = 20  # ONNX Runtime takes it from 1.17 on

_UNKNOWN = re.compile(r"No ONNX function found for <OpOverload\(op='([\w.]+)'")


def write_onnx(request: Request) -> None:
    """Write a float or a converted int8 graph.

    The model has the input ``photo``, the output ``quality`` and, where the network has one, ``map``; its
    ``metadata_props`` hold the artifact's metadata as JSON.
    """
    model = onnx.ModelProto()
    model.CopyFrom(_export(request.graph))
    _forget_how_it_was_made(model)
    text = json.dumps(request.metadata, sort_keys=True, ensure_ascii=False, allow_nan=False)
    model.metadata_props.add(key=METADATA_KEY, value=text)
    onnx.checker.check_model(model)
    request.path.write_bytes(model.SerializeToString(deterministic=True))


def open_onnx(path: Path) -> Run:
    """The quality vector that ONNX Runtime gives on the processor."""
    program = load_program(path, prefer="onnxruntime")
    return lambda views: program.run(views)[0]


def open_openvino(path: Path) -> Run:
    """The same of OpenVINO.

    Raises:
        RuntimeUnavailable: OpenVINO is not installed, or refuses the file.
    """
    program = load_program(path, prefer="openvino")
    return lambda views: program.run(views)[0]


def unsupported_by_onnx(exported: torch.export.ExportedProgram) -> list[str]:
    """Operators of a graph that PyTorch cannot write as ONNX; none where it takes all.

    The exporter stops at the first one, so that is the one that is named.
    """
    try:
        _export(exported)
    except torch.onnx.OnnxExporterError as error:
        chain, found = error, None
        while chain is not None and found is None:
            found, chain = _UNKNOWN.search(str(chain)), chain.__cause__
        if found is None:
            raise
        return [found[1]]
    return []


@lru_cache(maxsize=1)  # an export takes seconds: what answers whether a graph can be written is then written
def _export(exported: torch.export.ExportedProgram) -> onnx.ModelProto:
    (photo,) = exported.graph_signature.user_inputs
    value = next(node.meta["val"] for node in exported.graph.nodes if node.name == photo)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            exported,
            (torch.zeros(tuple(value.shape)),),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT_NAME],
            output_names=list(OUTPUT_NAMES[: len(exported.graph_signature.user_outputs)]),
            verbose=False,
        )
    return program.model_proto


def _forget_how_it_was_made(model: onnx.ModelProto) -> None:
    graph = model.graph
    parts = [model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer]
    for part in parts:
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
