"""The checks of a Core AI model: what it holds, number by number, and then what Apple's runtime makes of it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from pocketiqa.errors import RuntimeUnavailable

from mobile_export.lower.coreai import load_model
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

_ROUNDING = {"coreai.quantize": QUANTIZE, "coreai.dequantize": DEQUANTIZE}
_LARGE = re.compile(r"dense_resource<(\w+)>")
_BYTES = re.compile(r'^\s*(\w+): "0x([0-9A-F]+)"', re.MULTILINE)
_ALIGNMENT = 4  # bytes before a large constant's own that say how it is aligned


def check_coreai(subject: Subject) -> None:
    """Verify a model against the graph that it was written from.

    Of an int8 graph the convolutions' weights, the scales and the zero points are compared bit by bit; outputs follow,
    on the few photos that the artifact names, because the runtime takes seconds for each.

    Raises:
        BrokenParityCheck: a number is another one, the runtime refuses the model, or the first comparison that does
            not hold.
    """
    if scales := scales_of_graph(subject.graph):
        try:
            written = WrittenModel(subject.path)
        except RuntimeUnavailable as error:
            subject.ladder.add(refused(subject.reference, subject.step, error))
        check_numbers(subject, "weights", weights_of_graph(subject.graph), written.weights())
        check_numbers(subject, "scales", scales, written.scales())
    check_outputs(subject)


class WrittenModel:
    """A model's ``main`` function as it lies on disk: its operators, and its constants' values."""

    def __init__(self, path: Path) -> None:
        self._program = load_model(path).program  # the operators live as long as it does
        module = self._program._module._mlir_module
        main = next(op for op in module.body.operations if str(op.attributes["sym_name"]) == '"main"')
        self.operations = list(main.regions[0].blocks[0].operations)
        self._large = {name: bytes.fromhex(text)[_ALIGNMENT:] for name, text in _BYTES.findall(str(module))}

    def weights(self) -> Counter[str]:
        """Digests of the convolutions' weights as they are stored, int8 where they are dequantized."""
        found = []
        for operation in self.operations:
            if operation.name == "coreai.conv2d":
                weight = operation.operands[1].owner
                if weight.name == "coreai.dequantize":
                    weight = weight.operands[0].owner
                found.append(digest(self._value(weight)))
        return Counter(found)

    def scales(self) -> Counter[Scale]:
        """Each scale of an activation with its zero point, once."""
        found = set()
        for operation in self.operations:
            if operation.name in _ROUNDING:
                scale, zero = (self._value(operation.operands[place].owner) for place in (1, 2))
                if scale.ndim == 0:
                    found.add((_ROUNDING[operation.name], float(scale), int(zero)))
        return Counter(found)

    def _value(self, constant: Any) -> np.ndarray:
        value = constant.attributes["value"]
        if (large := _LARGE.search(str(value)[:200])) is None:
            return np.array(value)
        kind = np.int8 if str(value.type).endswith("si8>") else np.float32
        return np.frombuffer(self._large[large[1]], kind).reshape(constant.results[0].type.shape)
