"""A ``.pte`` in either of two ExecuTorch runtimes.

A process's programs share one pool of worker threads, whatever the number that a program was loaded with last.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from pocketiqa.runtimes.program import Program
from pocketiqa.threadpool import ThreadPool, executorch_bindings, set_threads, survive_fork

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


class _ProgramOfPool(Program):
    def __init__(self, content: bytes, runtime_name: str, threads: int | None = None) -> None:
        set_threads(pool_of(runtime_name.split()[0]), threads, runtime_name)
        super().__init__(content, runtime_name, threads)

    def _metadata(self) -> bytes:
        if "metadata" not in self.method_names:
            return b""
        (encoded,) = self._guarded("metadata", [])
        return encoded.astype(np.uint8).tobytes()


class NumpyRuntimeProgram(_ProgramOfPool):
    """Of ``executorch-numpy-runtime``, which needs no torch."""

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


class ExecutorchProgram(_ProgramOfPool):
    """Of ``executorch``, the official one, which imports torch."""

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


@functools.cache
def pool_of(package: str) -> ThreadPool | None:
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
