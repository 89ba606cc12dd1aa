"""The checks of an ONNX file: what it holds, number by number, and then what two runtimes make of it."""

from __future__ import annotations

from collections import Counter

import onnx
from onnx.numpy_helper import to_array
from pocketiqa.errors import PocketiqaError
from pocketiqa.runtime import ONNX, installed_runtimes

from mobile_export.lower.onnx_model import open_openvino
from mobile_export.verify.checks import Subject, check_outputs
from mobile_export.verify.ladder import refused
from mobile_export.verify.numbers import (
    DEQUANTIZE,
    QUANTIZE,
    Scale,
    check_numbers,
    digest,
    scales_of_graph,
    weights_of_graph,
)

_ROUNDING = {"QuantizeLinear": QUANTIZE, "DequantizeLinear": DEQUANTIZE}


def check_onnx(subject: Subject) -> None:
    """Verify an ONNX file against the graph that it was written from.

    Of an int8 graph the convolutions' weights, the scales and the zero points are compared bit by bit; outputs follow.
    A float file has its BatchNorms folded: its outputs say whether its weights are right.

    Raises:
        BrokenParityCheck: a number is another one, a runtime refuses the file, or the first comparison that does not
            hold.
    """
    if scales := scales_of_graph(subject.graph):
        model = onnx.load(str(subject.path))
        check_numbers(subject, "weights", weights_of_graph(subject.graph), _weights(model))
        check_numbers(subject, "scales", scales, _scales(model))
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


def _weights(model: onnx.ModelProto) -> Counter[str]:
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    behind = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    names = [node.input[1] for node in model.graph.node if node.op_type == "Conv"]
    return Counter(digest(to_array(constants[behind.get(name, name)])) for name in names)


def _scales(model: onnx.ModelProto) -> Counter[Scale]:
    constants = {tensor.name: to_array(tensor) for tensor in model.graph.initializer}
    found = set()
    for node in model.graph.node:
        if node.op_type in _ROUNDING:
            scale, zero = (constants[name] for name in node.input[1:3])
            if scale.size == 1:
                found.add((_ROUNDING[node.op_type], float(scale.item()), int(zero.item())))
    return Counter(found)
