"""Damage to a Core ML package on disk, as a broken exporter or a broken copy would leave it."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import numpy as np

from mobile_export.verify.mil_reference.package import Package

_DATA_OFFSET = 16  # in a blob's metadata: sentinel, type, size, then where its data is


def copy_of(package: Path, folder: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(package, folder / package.name))


def weight_file(package: Path) -> Path:
    return next(package.rglob("weight.bin"))


def scale_one_weight(package: Path, factor: float, number: int) -> None:
    """Multiply the largest weight of the ``number``-th convolution, in the weight file."""
    opened = Package(package)
    function = opened.model.mlProgram.functions["main"]
    operations = function.block_specializations[function.opset].operations
    by_name = {operation.outputs[0].name: operation for operation in operations}
    convolution = [operation for operation in operations if operation.type == "conv"][number]
    weight = by_name[convolution.inputs["weight"].arguments[0].name]
    key = "val" if weight.type == "const" else "quantized_data"
    blob = weight.attributes[key].blobFileValue
    values = opened.value(weight.attributes[key], "weight").ravel()
    content = bytearray(weight_file(package).read_bytes())
    (start,) = struct.unpack_from("<Q", content, blob.offset + _DATA_OFFSET)
    # The largest that an int8 weight can still grow from.
    place = int(np.abs(np.where(np.abs(values) < 120, values, 0)).argmax())
    value = values[place : place + 1]
    changed = value + np.sign(value) if value.dtype == np.int8 else (value * factor).astype(value.dtype)
    at = start + place * value.dtype.itemsize
    content[at : at + value.dtype.itemsize] = changed.astype(value.dtype).tobytes()
    weight_file(package).write_bytes(content)


def shift_zero_point(package: Path, number: int) -> None:
    """Add one to the zero point of the ``number``-th quantize operator that has one, in the specification."""
    from coremltools.proto.Model_pb2 import Model

    path = next(package.rglob("*.mlmodel"))
    model = Model.FromString(path.read_bytes())
    function = model.mlProgram.functions["main"]
    operations = function.block_specializations[function.opset].operations
    by_name = {operation.outputs[0].name: operation for operation in operations}
    quantizers = [op for op in operations if op.type == "quantize" and "zero_point" in op.inputs]
    constant = by_name[quantizers[number].inputs["zero_point"].arguments[0].name]
    tensor = constant.attributes["val"].immediateValue.tensor
    tensor.bytes.values = bytes([(tensor.bytes.values[0] + 1) % 256])
    path.write_bytes(model.SerializeToString())


def truncate(package: Path) -> None:
    """Cut the weight file's second half off."""
    file = weight_file(package)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
