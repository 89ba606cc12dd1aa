"""The bytes of an ``.mlpackage``: its specification, and the values in its weight file.

Reads what was written and nothing else: coremltools contributes the protocol buffers' schema only. The weight
file's layout is that of MILBlob in the coremltools sources (``StorageFormat.hpp``, version 2): a header of 64
bytes, and for each blob 64 bytes of metadata which point to its data.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mobile_export.verify.mil_reference.errors import MilError

if TYPE_CHECKING:
    from coremltools.proto.MIL_pb2 import Value
    from coremltools.proto.Model_pb2 import Model

_BLOB_METADATA = struct.Struct("<IIQQQ")
_BLOB_SENTINEL = 0xDEADBEEF
_BLOB_VERSION = 2

# MIL's type → (the blob file's code for it, how numpy holds it).
_STORED = {
    "FLOAT16": (1, np.dtype("<f2")),
    "FLOAT32": (2, np.dtype("<f4")),
    "UINT8": (3, np.dtype("u1")),
    "INT8": (4, np.dtype("i1")),
    "INT16": (6, np.dtype("<i2")),
    "UINT16": (7, np.dtype("<u2")),
    "INT32": (14, np.dtype("<i4")),
    "UINT32": (15, np.dtype("<u4")),
}
# Immediate values that are lists of numbers rather than bytes.
_LISTED = {"BOOL": np.bool_, "FLOAT32": np.float32, "INT16": np.int16, "UINT16": np.uint16, "INT32": np.int32}


class Package:
    """An opened ``.mlpackage``.

    Attributes:
        path: of the package.
        model: its specification, coremltools' ``Model`` protocol buffer.
    """

    def __init__(self, path: Path) -> None:
        from coremltools.proto.Model_pb2 import Model

        self.path = Path(path)
        specification = self._specification()
        self._folder = specification.parent
        self._weights: dict[str, bytes] = {}
        try:
            self.model: Model = Model.FromString(specification.read_bytes())
        except Exception as error:  # protobuf's DecodeError differs between its implementations
            raise MilError(
                f"{specification} is not a Core ML specification ({error}); build it anew"
            ) from error

    def _specification(self) -> Path:
        manifest = self.path / "Manifest.json"
        try:
            contents = json.loads(manifest.read_text())
            entry = contents["itemInfoEntries"][contents["rootModelIdentifier"]]["path"]
        except FileNotFoundError as error:
            raise MilError(f"{self.path} is not an .mlpackage: it has no Manifest.json") from error
        except (ValueError, KeyError, TypeError) as error:
            raise MilError(f"{manifest} does not name the package's model; build the package anew") from error
        specification = (self.path / "Data" / entry).resolve()
        if not specification.is_relative_to(self.path.resolve()) or not specification.is_file():
            raise MilError(f"{manifest} names {entry!r}, which is no file inside the package")
        return specification

    def value(self, value: Value, name: str) -> np.ndarray | str:
        """A constant of the program as numpy array (or string).

        Raises:
            MilError: ``name`` is no array, or its bytes in the weight file are missing or damaged.
        """
        from coremltools.proto.MIL_pb2 import DataType

        if value.type.WhichOneof("type") != "tensorType":
            raise MilError(f"{self.path}: constant {name!r} is not a tensor; only tensors are supported")
        kind = DataType.Name(value.type.tensorType.dataType)
        shape = tuple(dimension.constant.size for dimension in value.type.tensorType.dimensions)
        if value.WhichOneof("value") == "blobFileValue":
            return self._from_file(value.blobFileValue, kind, shape, name)
        return self._immediate(value.immediateValue.tensor, kind, shape, name)

    def _immediate(self, tensor: object, kind: str, shape: tuple[int, ...], name: str) -> np.ndarray | str:
        field = tensor.WhichOneof("value")
        if field == "bytes" and kind in _STORED:
            return self._decode(tensor.bytes.values, kind, shape, name)
        # An empty list has no field at all.
        values = [] if field is None else list(getattr(tensor, field).values)
        if kind == "STRING" and len(values) == 1:
            return values[0]
        if kind not in _LISTED:
            raise MilError(f"{self.path}: constant {name!r} has type {kind}, which is not supported")
        try:
            return np.array(values, dtype=_LISTED[kind]).reshape(shape)
        except ValueError as error:
            raise MilError(f"{self.path}: constant {name!r} does not fill its shape {shape}") from error

    def _from_file(self, blob: object, kind: str, shape: tuple[int, ...], name: str) -> np.ndarray:
        weights = self._weight_file(blob.fileName)
        if kind not in _STORED:
            raise MilError(f"{self.path}: constant {name!r} has type {kind}, which is not supported")
        code, dtype = _STORED[kind]
        damaged = f"{self.path}: {blob.fileName} is damaged where it holds {name!r}"
        if blob.offset + _BLOB_METADATA.size > len(weights):
            raise MilError(f"{damaged}: it ends before offset {blob.offset}; copy or build the package anew")
        sentinel, stored_code, size, start, _ = _BLOB_METADATA.unpack_from(weights, blob.offset)
        expected = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        if sentinel != _BLOB_SENTINEL or stored_code != code or size != expected:
            raise MilError(f"{damaged}: {size} bytes of type {stored_code}, not {expected} of {kind}")
        if start + size > len(weights):
            raise MilError(
                f"{damaged}: it has {len(weights)} bytes and needs {start + size}; is it truncated?"
            )
        return self._decode(weights[start : start + size], kind, shape, name)

    def _weight_file(self, file_name: str) -> bytes:
        if file_name not in self._weights:
            file = (self._folder / file_name.removeprefix("@model_path/")).resolve()
            if not file.is_relative_to(self.path.resolve()) or not file.is_file():
                raise MilError(
                    f"{self.path}: the specification names {file_name!r}, no file inside the package"
                )
            data = file.read_bytes()
            if len(data) < 64 or struct.unpack_from("<I", data, 4)[0] != _BLOB_VERSION:
                raise MilError(
                    f"{file} is not a weight file of version {_BLOB_VERSION}; build the package anew"
                )
            self._weights[file_name] = data
        return self._weights[file_name]

    def _decode(self, data: bytes, kind: str, shape: tuple[int, ...], name: str) -> np.ndarray:
        _, dtype = _STORED[kind]
        count = int(np.prod(shape, dtype=np.int64))
        if len(data) < count * dtype.itemsize:
            raise MilError(f"{self.path}: constant {name!r} has {len(data)} bytes, too few for {shape} {kind}")
        return np.frombuffer(data, dtype, count).reshape(shape)
