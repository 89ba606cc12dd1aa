"""A MIL program as it is written in a package: its inputs, its outputs, its operators in order and its constants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

# Imported for the operators that they register.
from mobile_export.verify.mil_reference import activations, arithmetic, movement, quantized, spatial  # noqa: F401
from mobile_export.verify.mil_reference.errors import MilError, UnknownOperator
from mobile_export.verify.mil_reference.package import Package
from mobile_export.verify.mil_reference.registry import KERNELS

# Operators that only select or move values, which are float16 numbers already: rounding them changes nothing.
_SELECTING = {"abs", "clip", "concat", "expand_dims", "identity", "max_pool", "pad", "relu", "relu6"}
_SELECTING |= {"reshape", "slice_by_index", "split", "squeeze", "thresholded_relu", "transpose"}
# Operators with several outputs are read as one operation for each; its input ``output`` says which.
_SEVERAL_OUTPUTS = {"split"}

# One input of an operator: a value that is known, or the names of values to come (more than one for concat).
Known = torch.Tensor | int | float | bool | str | list


@dataclass(frozen=True)
class Reference:
    """Names of the earlier outputs or constants that an input stands for."""

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
    inputs: dict[str, Known | Reference]
    rounded: bool
    last_use: tuple[str, ...] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the earlier outputs and constants among the inputs."""
        return tuple(n for given in self.inputs.values() if isinstance(given, Reference) for n in given.names)


@dataclass(frozen=True)
class WrittenProgram:
    """The ``main`` function of a package.

    Attributes:
        inputs: shape by input name.
        outputs: names in the order of the program.
        operations: in the order of execution, those that decompress constants included.
        constants: the plain constants by name.
    """

    inputs: dict[str, tuple[int, ...]]
    outputs: tuple[str, ...]
    operations: list[Operation]
    constants: dict[str, Known]


def read_program(package: Package) -> WrittenProgram:
    """Read the program of an opened package.

    Raises:
        UnknownOperator: the program uses an operator that is not implemented here.
        MilError: the package is damaged, truncated, or holds no MIL program with one block.
    """
    function, block = _main_block(package)
    operations, constants = _operations(package, block.operations)
    inputs = {value.name: _shape(value.type) for value in function.inputs}
    return WrittenProgram(inputs, tuple(block.outputs), operations, constants)


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


def _operations(package: Package, written: object) -> tuple[list[Operation], dict[str, Known]]:
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
        several = op.type in _SEVERAL_OUTPUTS
        if op.type not in KERNELS or op.blocks or (len(op.outputs) != 1 and not several):
            raise UnknownOperator(op.type, name, str(package.path))
        inputs: dict[str, Known | Reference] = dict(attributes)
        for key, argument in op.inputs.items():
            bindings = list(argument.arguments)
            if bindings[0].WhichOneof("binding") == "value":
                inputs[key] = _plain(package.value(bindings[0].value, name))
            else:
                inputs[key] = Reference(tuple(binding.name for binding in bindings))
        is_half = op.outputs[0].type.tensorType.dataType == DataType.Value("FLOAT16")
        rounded = is_half and op.type not in _SELECTING
        for number, output in enumerate(op.outputs):
            which = {"output": number} if several else {}
            operations.append(Operation(output.name, op.type, inputs | which, rounded))
    return operations, constants


def _plain(value: np.ndarray | str) -> Known:
    """How an operator gets a constant, see :mod:`mobile_export.verify.mil_reference.registry`."""
    if isinstance(value, str) or value.dtype in (np.int32, np.bool_):
        return value if isinstance(value, str) else value.tolist()
    if value.dtype.kind == "f":
        return torch.from_numpy(value.astype(np.float32))
    # torch lacks some unsigned types.
    return torch.from_numpy(value.astype(np.int32) if value.dtype.itemsize > 1 else value.copy())
