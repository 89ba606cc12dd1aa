"""A MIL program: read once, executed step by step on torch's CPU operators.

Core ML chooses the arithmetic by device, so no answer is the right one to the last bit. Two are offered.
``float32`` takes the numbers of the package as they are and computes in float32: what the program means.
``float16`` also rounds every result whose type is float16, a convolution's sum being accumulated in float32:
what hardware with float16 registers does at its best.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

# Imported for the operators that they register.
from mobile_export.verify.mil_reference import pointwise, quantized, spatial  # noqa: F401
from mobile_export.verify.mil_reference.errors import MilError, UnknownOperator
from mobile_export.verify.mil_reference.package import Package
from mobile_export.verify.mil_reference.registry import KERNELS

Precision = Literal["float32", "float16"]
_PRECISIONS = ("float32", "float16")

# Operators that only select or move values, which are float16 numbers already: rounding them changes nothing.
_SELECTING = {"abs", "clip", "concat", "expand_dims", "identity", "max_pool", "pad", "relu", "relu6"}
_SELECTING |= {"reshape", "slice_by_index", "squeeze", "transpose"}

# One input of an operator: a value that is known, or the names of values to come (more than one for concat).
Known = torch.Tensor | int | float | bool | str | list


@dataclass(frozen=True)
class _Reference:
    names: tuple[str, ...]


@dataclass(frozen=True)
class Operation:
    """One operator of the program.

    Attributes:
        name: of its output, unique in the program.
        operator: MIL's name of what it does.
        inputs: by MIL's name: a constant value, or a reference to earlier outputs.
        rounded: its output has type float16 and may hold numbers that are not.
        last_use: outputs that nothing after this operator reads.
    """

    name: str
    operator: str
    inputs: dict[str, Known | _Reference]
    rounded: bool
    last_use: tuple[str, ...] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the earlier outputs and constants among the inputs."""
        return tuple(n for given in self.inputs.values() if isinstance(given, _Reference) for n in given.names)


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
        function, block = _main_block(package)
        self.inputs = {value.name: _shape(value.type) for value in function.inputs}
        self.outputs = tuple(block.outputs)
        operations, constants = _read_operations(package, block.operations)
        self._constants = {
            precision: _materialize(operations, constants, precision) for precision in _PRECISIONS
        }
        self.operations = _with_last_uses(
            [op for op in operations if not op.operator.startswith("constexpr_")],
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
        value = self._constants["float32"][given.names[0]] if isinstance(given, _Reference) else given
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


def _main_block(package: Package) -> tuple[object, object]:
    model = package.model
    if model.WhichOneof("Type") != "mlProgram":
        raise MilError(f"{package.path} holds no MIL program but {model.WhichOneof('Type')}")
    functions = model.mlProgram.functions
    if list(functions) != ["main"]:
        raise MilError(f"{package.path} has the functions {', '.join(functions)}; only 'main' is supported")
    function = functions["main"]
    return function, function.block_specializations[function.opset]


def _shape(value_type: object) -> tuple[int, ...]:
    return tuple(dimension.constant.size for dimension in value_type.tensorType.dimensions)


def _read_operations(package: Package, written: object) -> tuple[list[Operation], dict[str, Known]]:
    """Operators in order, and the plain constants among them by name."""
    from coremltools.proto.MIL_pb2 import DataType

    operations: list[Operation] = []
    constants: dict[str, Known] = {}
    for op in written:
        name = op.outputs[0].name
        attributes = {
            key: _plain(package.value(value, name)) for key, value in op.attributes.items() if key != "name"
        }
        if op.type == "const":
            constants[name] = attributes["val"]
            continue
        if op.type not in KERNELS or op.blocks or len(op.outputs) != 1:
            raise UnknownOperator(op.type, name, str(package.path))
        inputs: dict[str, Known | _Reference] = dict(attributes)
        for key, argument in op.inputs.items():
            bindings = list(argument.arguments)
            if bindings[0].WhichOneof("binding") == "value":
                inputs[key] = _plain(package.value(bindings[0].value, name))
            else:
                inputs[key] = _Reference(tuple(binding.name for binding in bindings))
        is_half = op.outputs[0].type.tensorType.dataType == DataType.Value("FLOAT16")
        rounded = is_half and op.type not in _SELECTING
        operations.append(Operation(name, op.type, inputs, rounded))
    return operations, constants


def _plain(value: np.ndarray | str) -> Known:
    """How an operator gets a constant, see :mod:`mobile_export.verify.mil_reference.registry`."""
    if isinstance(value, str) or value.dtype in (np.int32, np.bool_):
        return value if isinstance(value, str) else value.tolist()
    if value.dtype.kind == "f":
        return torch.from_numpy(value.astype(np.float32))
    # torch lacks some unsigned types.
    return torch.from_numpy(value.astype(np.int32) if value.dtype.itemsize > 1 else value.copy())


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
        if isinstance(given, _Reference):
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
