"""The checks of a LiteRT file: what it holds, number by number, and then what two sets of kernels make of it."""

from __future__ import annotations

import struct
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pocketiqa.errors import PocketiqaError

from mobile_export.lower.litert import open_litert_without_delegate
from mobile_export.verify.checks import Subject, check_outputs
from mobile_export.verify.ladder import refused
from mobile_export.verify.numbers import check_numbers, digest, scales_of_graph, weights_of_graph

if TYPE_CHECKING:
    from ai_edge_litert.schema_py_generated import Operator

# LiteRT's order of a weight's axes, and where they are in the graph's: output, input, height, width.
_TO_GRAPH = {"CONV_2D": (0, 3, 1, 2), "DEPTHWISE_CONV_2D": (3, 0, 1, 2)}
# Their second input is a weight, which is rounded by channels.
_LAYERS = (*_TO_GRAPH, "FULLY_CONNECTED")


def check_litert(subject: Subject) -> None:
    """Verify a file against the graph that it was written from.

    Of an int8 graph the convolutions' weights, the scales and the zero points are compared bit by bit. Outputs follow,
    in XNNPACK, which apps use, and in LiteRT's own kernels, which multiply in fixed point and so round otherwise.

    Raises:
        BrokenParityCheck: a number is another one, the runtime refuses the file, or the first comparison that does not
            hold.
    """
    if scales := scales_of_graph(subject.graph, of_scalars=False):
        try:
            written = _Written(subject.path)
            found = written.weights(), written.scales()
        except (IndexError, TypeError, ValueError, struct.error) as error:  # what a damaged file does to its reader
            subject.ladder.add(refused(subject.reference, subject.step, error))
        check_numbers(subject, "weights", weights_of_graph(subject.graph), found[0])
        # A file says for each tensor how it is rounded, not by which operator.
        check_numbers(subject, "scales", Counter({one[1:] for one in scales}), found[1])
    check_outputs(subject)
    step, (reference, bound) = f"{subject.step} in LiteRT's own kernels", subject.compared[0]
    try:
        subject.ladder.step(step, open_litert_without_delegate(subject.path))
    except PocketiqaError as error:
        subject.ladder.add(refused(reference, step, error))
    subject.ladder.check(reference, step, bound)


class _Written:
    """The tensors of a file's one subgraph."""

    def __init__(self, path: Path) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.model = schema.Model.GetRootAs(path.read_bytes(), 0)
        self.graph = self.model.Subgraphs(0)
        self.names = {value: name for name, value in vars(schema.BuiltinOperator).items() if name.isupper()}
        self.int8 = schema.TensorType.INT8
        self.operators = [self.graph.Operators(number) for number in range(self.graph.OperatorsLength())]

    def kind(self, operator: Operator) -> str:
        """Of an operator, as LiteRT names it."""
        return self.names[self.model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode()]

    def weights(self) -> Counter[str]:
        """Digests of the convolutions' weights, their axes in the graph's order."""
        found = []
        for operator in self.operators:
            kind = self.kind(operator)
            if kind in _TO_GRAPH:
                tensor = self.graph.Tensors(operator.Inputs(1))
                values = self.model.Buffers(tensor.Buffer()).DataAsNumpy()
                values = values.view(np.int8 if tensor.Type() == self.int8 else np.float32)
                found.append(digest(values.reshape(tensor.ShapeAsNumpy()).transpose(_TO_GRAPH[kind])))
        return Counter(found)

    def scales(self) -> Counter[tuple[float, int]]:
        """Scale and zero point of each int8 tensor that is no layer's weight and no scalar, once."""
        weights = {operator.Inputs(1) for operator in self.operators if self.kind(operator) in _LAYERS}
        found = set()
        for number in range(self.graph.TensorsLength()):
            tensor = self.graph.Tensors(number)
            if tensor.Type() == self.int8 and number not in weights and tensor.ShapeLength():
                rounding = tensor.Quantization()
                found.add((float(rounding.Scale(0)), int(rounding.ZeroPoint(0))))
        return Counter(found)
