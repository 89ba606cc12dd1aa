"""The checks of an ONNX file: what it holds, number by number, and then what two runtimes make of it."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256

import numpy as np
import onnx
import torch
from onnx.numpy_helper import to_array
from pocketiqa.errors import PocketiqaError
from pocketiqa.runtime import ONNX, installed_runtimes

from mobile_export.lower.onnx_model import open_openvino
from mobile_export.verify.checks import Subject, check_outputs
from mobile_export.verify.ladder import ParityCheck, refused

# Operators of a graph, and ONNX's.
_PER_TENSOR = {
    "quantized_decomposed.quantize_per_tensor.default": "QuantizeLinear",
    "quantized_decomposed.dequantize_per_tensor.default": "DequantizeLinear",
}
_CONVOLUTIONS = ("aten.conv2d.default", "aten.convolution.default")


def check_onnx(subject: Subject) -> None:
    """Verify an ONNX file against the graph that it was written from.

    Of an int8 graph the convolutions' weights, the scales and the zero points are compared bit by bit; outputs follow.
    A float file has its BatchNorms folded: its outputs say whether its weights are right.

    Raises:
        BrokenParityCheck: a number is another one, a runtime refuses the file, or the first comparison that does not
            hold.
    """
    model = onnx.load(str(subject.path))
    comparisons = {}
    if scales := _scales_of_graph(subject.graph):
        comparisons["weights"] = _weights_of_graph(subject.graph), _weights_of_model(model)
        comparisons["scales"] = scales, _scales_of_model(model)
    for what, (expected, found) in comparisons.items():
        wrong = sum(((expected - found) + (found - expected)).values())
        subject.ladder.add(
            ParityCheck(
                reference=subject.reference,
                candidate=subject.step,
                inputs=what,
                n=expected.total(),
                max_abs=float(wrong > 0),
                mean_abs=wrong / max(1, 2 * expected.total()),
                srcc=None,
                bound="equal, bit by bit",
                holds=wrong == 0,
            )
        )
    check_outputs(subject)
    _check_openvino(subject)


def _check_openvino(subject: Subject) -> None:
    if "openvino" not in installed_runtimes(ONNX):
        note = "OpenVINO did not run the ONNX files: it is not installed (uv pip install openvino)."
        if note not in subject.notes:
            subject.notes.append(note)
        return
    step = f"{subject.step} in OpenVINO"
    reference, bound = subject.compared[0]
    try:
        subject.ladder.step(step, open_openvino(subject.path))
    except PocketiqaError as error:
        subject.ladder.add(refused(reference, step, error))
    subject.ladder.check(reference, step, bound)


def _digest(values: np.ndarray) -> str:
    return sha256(repr(values.shape).encode() + np.ascontiguousarray(values).tobytes()).hexdigest()


def _tensor(exported: torch.export.ExportedProgram, node: torch.fx.Node) -> torch.Tensor:
    """The constant behind ``node``, through the operator that dequantizes it."""
    while node.op != "placeholder":
        node = node.args[0]
    name = exported.graph_signature.inputs_to_parameters.get(node.name)
    name = name or exported.graph_signature.inputs_to_buffers.get(node.name)
    if name is None:
        name = exported.graph_signature.inputs_to_lifted_tensor_constants[node.name]
    return exported.state_dict[name] if name in exported.state_dict else exported.constants[name]


def _weights_of_graph(exported: torch.export.ExportedProgram) -> Counter[str]:
    nodes = [node for node in exported.graph.nodes if str(node.target) in _CONVOLUTIONS]
    return Counter(_digest(_tensor(exported, node.args[1]).detach().numpy()) for node in nodes)


def _weights_of_model(model: onnx.ModelProto) -> Counter[str]:
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    behind = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    names = [node.input[1] for node in model.graph.node if node.op_type == "Conv"]
    return Counter(_digest(to_array(constants[behind.get(name, name)])) for name in names)


def _scales_of_graph(exported: torch.export.ExportedProgram) -> Counter[tuple[str, float, int]]:
    """Each scale with its zero point once, by whether values are rounded to it or read from it."""
    found = set()
    for node in exported.graph.nodes:
        if (name := str(node.target)) in _PER_TENSOR:
            found.add((_PER_TENSOR[name], float(np.float32(node.args[1])), int(node.args[2])))
    return Counter(found)


def _scales_of_model(model: onnx.ModelProto) -> Counter[tuple[str, float, int]]:
    constants = {tensor.name: to_array(tensor) for tensor in model.graph.initializer}
    found = set()
    for node in model.graph.node:
        if node.op_type in _PER_TENSOR.values():
            scale, zero = (constants[name] for name in node.input[1:3])
            if scale.size == 1:
                found.add((node.op_type, float(scale.item()), int(zero.item())))
    return Counter(found)
