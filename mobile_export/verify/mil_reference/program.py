"""A MIL program: read once, executed step by step on torch's CPU operators.

Core ML chooses the arithmetic by device, so no answer is the right one to the last bit. Two are offered.
``float32`` takes the numbers of the package as they are and computes in float32: what the program means.
``float16`` also rounds every result whose type is float16, a convolution's sum being accumulated in float32:
what hardware with float16 registers does at its best.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from mobile_export.verify.mil_reference.errors import MilError
from mobile_export.verify.mil_reference.package import Package
from mobile_export.verify.mil_reference.reading import Known, Operation, Reference, read_program
from mobile_export.verify.mil_reference.registry import KERNELS

Precision = Literal["float32", "float16"]
_PRECISIONS = ("float32", "float16")


class MilProgram:
    """The ``main`` function of a package. Make one with :meth:`read`.

    Attributes:
        path: of the package.
        metadata: the package's user-defined metadata, strings by key.
        inputs: shape by input name.
        outputs: output names in the order of the program.
        operations: constants left out, in the order of execution.
        operators: MIL operator by output name, in the same order.
    """

    def __init__(self, package: Package) -> None:
        self.path = package.path
        self.metadata = dict(package.model.description.metadata.userDefined)
        written = read_program(package)
        self.inputs, self.outputs = written.inputs, written.outputs
        self._constants = {
            precision: _materialize(written.operations, written.constants, precision) for precision in _PRECISIONS
        }
        self.operations = _with_last_uses(
            [op for op in written.operations if not op.operator.startswith("constexpr_")],
            keep={*self.outputs, *self._constants["float32"]},
        )
        self.operators = {op.name: op.operator for op in self.operations}

    @classmethod
    def read(cls, path: Path | str) -> MilProgram:
        """Read a package as it lies on disk, its weights included.

        Raises:
            UnknownOperator: the program uses an operator that is not implemented here.
            MilError: the package is damaged, truncated, or holds no MIL program with one block.
        """
        return cls(Package(Path(path)))

    def run(self, inputs: dict[str, np.ndarray], precision: Precision = "float32") -> dict[str, np.ndarray]:
        """Execute the program.

        Args:
            inputs: one array of the program's shape for each input name, e.g. ``photo``, float32 in [0, 1].
            precision: ``float32`` or ``float16``, see the module.

        Returns:
            One array for each output name, in the program's order.

        Raises:
            MilError: an input is missing, unknown or has another shape, or ``precision`` is unknown.
        """
        results = {name: output for name, output in self.trace(inputs, precision) if name in self.outputs}
        return {name: results[name] for name in self.outputs}

    def constant(self, operation: Operation, key: str) -> np.ndarray:
        """An operation's constant input, decompressed, in the precision of the package; float64."""
        given = operation.inputs[key]
        value = self._constants["float32"][given.names[0]] if isinstance(given, Reference) else given
        return np.asarray(value, dtype=np.float64)

    def trace(
        self,
        inputs: dict[str, np.ndarray],
        precision: Precision = "float32",
        replace: Mapping[str, np.ndarray] | None = None,
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Execute the program and yield the name and the output of every operator, in order.

        ``operators[name]`` says what the operator does. What follows an operator named in ``replace`` is computed
        from that value instead of its output. Other arguments and errors are those of :meth:`run`.
        """
        replace = replace or {}
        values = {**self._checked_constants(precision), **self._checked_inputs(inputs)}
        for operation in self.operations:
            with torch.inference_mode():
                output = _execute(operation, values, precision)
            values[operation.name] = output
            yield operation.name, output.numpy()
            if operation.name in replace:
                values[operation.name] = torch.from_numpy(replace[operation.name])
            for name in operation.last_use:
                del values[name]

    def _checked_constants(self, precision: str) -> dict[str, Known]:
        if precision not in _PRECISIONS:
            raise MilError(f"precision is one of {', '.join(_PRECISIONS)}, not {precision!r}")
        return self._constants[precision]

    def _checked_inputs(self, inputs: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
        given = {name: np.shape(array) for name, array in inputs.items()}
        if given != self.inputs:
            raise MilError(f"{self.path} takes inputs {self.inputs} and was given {given}")
        return {
            name: torch.from_numpy(np.array(array, dtype=np.float32, order="C"))
            for name, array in inputs.items()
        }


def _materialize(
    operations: list[Operation], constants: dict[str, Known], precision: str
) -> dict[str, Known]:
    """All constants, those included that ``constexpr`` operators decompress: once, not for every photo."""
    values = dict(constants)
    for operation in operations:
        if operation.operator.startswith("constexpr_"):
            values[operation.name] = _execute(operation, values, precision)
    # Convolutions are faster on weights that lie channels-last.
    return {
        name: value.contiguous(memory_format=torch.channels_last)
        if isinstance(value, torch.Tensor) and value.ndim == 4
        else value
        for name, value in values.items()
    }


def _execute(operation: Operation, values: dict[str, Known], precision: str) -> torch.Tensor:
    arguments = {}
    for key, given in operation.inputs.items():
        if isinstance(given, Reference):
            found = [values[name] for name in given.names]
            given = found if key == "values" else found[0]
        arguments[key] = given
    try:
        output = KERNELS[operation.operator](**arguments)
    except (TypeError, RuntimeError, KeyError, IndexError) as error:
        raise MilError(
            f"operator {operation.operator!r}, which computes {operation.name!r}, failed: {error}"
        ) from error
    if precision == "float16" and operation.rounded:
        output = output.half().float()
    return output


def _with_last_uses(operations: list[Operation], keep: set[str]) -> list[Operation]:
    """Say after which operator each value can go, lest all of a photo's activations stay in memory."""
    seen = set(keep)
    finished = []
    for operation in reversed(operations):
        read = dict.fromkeys(operation.reads)
        last = tuple(name for name in read if name not in seen)
        seen.update(last)
        if operation.name not in seen:
            last += (operation.name,)
        finished.append(
            Operation(operation.name, operation.operator, operation.inputs, operation.rounded, last)
        )
    return finished[::-1]
