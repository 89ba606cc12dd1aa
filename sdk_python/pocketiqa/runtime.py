"""Two ExecuTorch runtimes behind one small interface.

    program = load_program("student_int8.pte")
    quality, quality_map = program.run(x)

``executorch-numpy-runtime`` (no torch, Python 3.12 and newer) is taken when it is installed, else
``executorch`` (the official one, which imports torch). ``prefer=`` or the environment variable
``POCKETIQA_RUNTIME`` names one of the two by its package name. Both log to standard error themselves.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
from abc import ABC, abstractmethod
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from pocketiqa.errors import BundleError, RuntimeUnavailable, one_line
from pocketiqa.files import read_regular_file
from pocketiqa.manifest import MAX_FILE_BYTES
from pocketiqa.threadpool import LOCK, PROGRAMS, ThreadPool, executorch_bindings, set_threads, survive_fork

RUNTIMES = {"executorch-numpy-runtime": "executorch_numpy_runtime", "executorch": "executorch"}
VARIABLE = "POCKETIQA_RUNTIME"

_SCALAR_TYPES = {
    0: "uint8",
    1: "int8",
    2: "int16",
    3: "int32",
    4: "int64",
    5: "float16",
    6: "float32",
    7: "float64",
}


class Program(ABC):
    """A loaded ``.pte``. Safe to use from many threads: a process's programs run one at a time, each on all
    threads of the process's pool.

    Attributes:
        runtime_name: which runtime runs it, e.g. ``executorch 1.5.1``.
        method_names: ``forward`` and the constant methods.
        inputs, outputs: of ``forward``, each ``{"shape": [...], "dtype": "float32"}``, in order.
    """

    runtime_name: str
    method_names: set[str]
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]

    def __init__(self, content: bytes, runtime_name: str) -> None:
        self.runtime_name = runtime_name
        self._content = content
        self._open()
        PROGRAMS.add(self)

    def unload(self) -> None:
        """Give up what the runtime holds; the next run loads it again."""
        self._program: Any = None

    def run(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        """Execute ``forward``.

        Args:
            x: array of the shape and dtype in ``inputs``. Any memory layout: it is made C-contiguous first,
                because a runtime reads channels-last memory as if it were not and says nothing.

        Returns:
            The outputs as fresh arrays.

        Raises:
            RuntimeUnavailable: wrong dtype or shape, or the runtime failed.
        """
        given = {"shape": list(x.shape), "dtype": str(x.dtype)}
        if self.inputs != [given]:
            wanted = " and ".join(f"{item['dtype']} {item['shape']}" for item in self.inputs) or "nothing"
            raise RuntimeUnavailable(f"the program takes {wanted}, not {given['dtype']} {given['shape']}")
        return self._guarded("forward", [np.require(x, requirements=["C", "W"])])

    def metadata(self) -> dict[str, Any]:
        """The JSON object that the exporter put into the program; empty when there is none.

        Raises:
            BundleError: there is one and it is no JSON object in a uint8 tensor.
        """
        if "metadata" not in self.method_names:
            return {}
        try:
            (encoded,) = self._guarded("metadata", [])
            found = json.loads(encoded.astype(np.uint8).tobytes())
        except (ValueError, RecursionError, AttributeError):
            raise BundleError("the program's metadata is no uint8 tensor of JSON; export it anew") from None
        if not isinstance(found, dict):
            raise BundleError("the program's metadata is no JSON object; export it anew")
        return found

    def _guarded(self, method: str, inputs: list[np.ndarray]) -> tuple[np.ndarray, ...]:
        with LOCK:
            try:
                if self._program is None:
                    self._open()
                return tuple(self._execute(method, inputs))
            except Exception as error:  # either runtime raises types of its own
                raise RuntimeUnavailable(f"{self.runtime_name} failed in {method!r}: {one_line(error)}") from error

    @abstractmethod
    def _open(self) -> None:
        """Load ``_content`` into ``_program`` and read the signature."""

    @abstractmethod
    def _execute(self, method: str, inputs: list[np.ndarray]) -> list[np.ndarray]: ...


class _NumpyRuntimeProgram(Program):
    def _open(self) -> None:
        from executorch_numpy_runtime import Runtime

        self._program = Runtime.get().load_program(self._content)
        self.method_names = set(self._program.method_names)
        signature = self._program.load_method("forward").metadata
        self.inputs, self.outputs = (
            [_tensor(item["shape"], item["scalar_type"]) for item in signature[side]] for side in ("inputs", "outputs")
        )

    def _execute(self, method: str, inputs: list[np.ndarray]) -> list[np.ndarray]:
        return self._program.load_method(method)(inputs)


class _ExecutorchProgram(Program):
    def _open(self) -> None:
        runtime = executorch_bindings()
        # The program must outlive its methods, and its bytes both: keeping them here is what keeps them valid.
        self._methods: dict[str, Any] = {}
        self._program = runtime._load_program_from_buffer(
            self._content, program_verification=runtime.Verification.InternalConsistency
        )
        self.method_names = set(map(self._program.get_method_name, range(self._program.num_methods())))
        signature = self._program.method_meta("forward")
        self.inputs, self.outputs = (
            [_tensor(item.sizes(), item.dtype()) for item in map(tensor, range(count))]
            for count, tensor in (
                (signature.num_inputs(), signature.input_tensor_meta),
                (signature.num_outputs(), signature.output_tensor_meta),
            )
        )

    def unload(self) -> None:
        self._methods.clear()
        super().unload()

    def _execute(self, method: str, inputs: list[np.ndarray]) -> list[np.ndarray]:
        import torch

        if method not in self._methods:
            self._methods[method] = self._program.load_method(method)
        return [output.numpy().copy() for output in self._methods[method]([*map(torch.from_numpy, inputs)])]


def installed_runtimes() -> dict[str, str]:
    """Package name and version of each supported runtime that is installed, in order of preference."""
    return {package: version(package) for package, module in RUNTIMES.items() if importlib.util.find_spec(module)}


def load_program(
    data_or_path: bytes | str | os.PathLike[str], threads: int | None = None, prefer: str | None = None
) -> Program:
    """Load a ``.pte``.

    Args:
        data_or_path: the program's bytes, or the path of its file.
        threads: workers of the process's pool, which all programs of the process share; None leaves the
            runtime's own choice.
        prefer: a key of ``RUNTIMES``; default the environment variable ``POCKETIQA_RUNTIME``, else the first
            that is installed.

    Raises:
        BundleError: the file is missing or no ExecuTorch program.
        RuntimeUnavailable: no such runtime, it cannot load the program, or it cannot set ``threads``.
    """
    content = data_or_path if isinstance(data_or_path, bytes) else read_program(Path(data_or_path))
    if content[4:6] != b"ET":
        raise BundleError("not an ExecuTorch program: its identifier is missing; pass a .pte file")
    package = _choose(prefer or os.environ.get(VARIABLE) or None)
    name = f"{package} {version(package)}"
    with LOCK:
        try:
            set_threads(_pool(package), threads, name)
            kind = _NumpyRuntimeProgram if package == "executorch-numpy-runtime" else _ExecutorchProgram
            return kind(content, name)
        except RuntimeUnavailable:
            raise
        except Exception as error:  # either runtime raises types of its own
            raise RuntimeUnavailable(
                f"{name} cannot load the program: {one_line(error)}; it is damaged, or for a newer runtime"
            ) from error


def read_program(path: Path) -> bytes:
    """A program file's bytes; raises BundleError when it cannot be read, or is over 256 MiB."""
    content = read_regular_file(path, MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise BundleError(f"{path} is over the limit of {MAX_FILE_BYTES} bytes for a program")
    return content


def _choose(preferred: str | None) -> str:
    if preferred is not None and preferred not in RUNTIMES:
        raise RuntimeUnavailable(f"unknown runtime {preferred!r}; known are {', '.join(RUNTIMES)}")
    for package in [preferred] if preferred else RUNTIMES:
        if importlib.util.find_spec(RUNTIMES[package]):
            return package
    wanted = preferred or " or ".join(RUNTIMES)
    raise RuntimeUnavailable(f"no runtime: install {wanted} with pip")


@functools.cache
def _pool(package: str) -> ThreadPool | None:
    """The runtime's thread pool, made safe against forks the first time it is asked for."""
    if package == "executorch-numpy-runtime":
        from executorch_numpy_runtime import _core

        pool = ThreadPool.of_library(_core.__file__)
    else:
        pool = ThreadPool.of_executorch()
    if pool is not None:
        survive_fork(pool)
    return pool


def _tensor(shape: Any, scalar_type: int) -> dict[str, Any]:
    return {"shape": list(shape), "dtype": _SCALAR_TYPES.get(int(scalar_type), f"type {int(scalar_type)}")}
