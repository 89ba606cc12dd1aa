"""An ``.onnx`` file in ONNX Runtime or in OpenVINO: the same int8 graph for servers and desktops.

Neither is taken unless it is named. OpenVINO is told to compute float layers in float32; left alone, it takes whatever
the processor has fastest.
"""

from __future__ import annotations

import functools
import os
from typing import Any

import numpy as np

from pocketiqa.errors import RuntimeUnavailable
from pocketiqa.runtimes.program import METADATA_KEY, Program
from pocketiqa.threadpool import PROGRAMS, check_threads

_ERRORS_ALONE = 3  # ONNX Runtime's level of what it logs
_TYPES = {"tensor(float)": "float32", "f32": "float32"}


class OnnxRuntimeProgram(Program):
    """Of ``onnxruntime``, on the processor."""

    def __init__(self, content: bytes, runtime_name: str, threads: int | None = None) -> None:
        check_threads(threads)
        super().__init__(content, runtime_name, threads)
        _unload_before_forks()

    def _open(self) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ALONE
        options.inter_op_num_threads = 1
        options.intra_op_num_threads = self.threads or 0
        self._program = onnxruntime.InferenceSession(self._content, options, providers=["CPUExecutionProvider"])
        self.method_names = {"forward"}
        self.inputs, self.outputs = (
            [_tensor(one.shape, one.type) for one in side]
            for side in (self._program.get_inputs(), self._program.get_outputs())
        )

    def _metadata(self) -> str:
        return self._program.get_modelmeta().custom_metadata_map.get(METADATA_KEY, "")

    def _execute(self, method: str, inputs: list[np.ndarray]) -> list[np.ndarray]:
        return self._program.run(None, {self._program.get_inputs()[0].name: inputs[0]})


class OpenVinoProgram(Program):
    """Of ``openvino``, on the processor. Its threads do not survive a fork: a forked child is refused."""

    def __init__(self, content: bytes, runtime_name: str, threads: int | None = None) -> None:
        check_threads(threads)
        super().__init__(content, runtime_name, threads)

    def _open(self) -> None:
        options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        if self.threads:
            options["INFERENCE_NUM_THREADS"] = self.threads
        core = _openvino_core(os.getpid())
        model = core.read_model(self._content)
        self._process = os.getpid()
        self._program = core.compile_model(model, "CPU", options).create_infer_request()
        self._model = model
        self.method_names = {"forward"}
        self.inputs, self.outputs = (
            [_tensor(one.get_partial_shape().to_shape(), one.element_type.get_type_name()) for one in side]
            for side in (model.inputs, model.outputs)
        )

    def _metadata(self) -> str:
        try:
            return self._model.get_rt_info(["framework", METADATA_KEY]).astype(str)
        except RuntimeError:
            return ""

    def _execute(self, method: str, inputs: list[np.ndarray]) -> list[np.ndarray]:
        if os.getpid() != self._process:
            raise RuntimeUnavailable("it does not survive a fork: load the program in the child, or spawn processes")
        self._program.infer(inputs)
        # Copied: the request's memory is overwritten by the next photo.
        return [self._program.get_output_tensor(i).data.copy() for i in range(len(self.outputs))]


@functools.cache
def _openvino_core(process: int) -> Any:
    """One in each process, which never ends before it: a core gives the thread that makes it another stack for
    signals, and unmaps that stack with itself. Released by another thread, or before an older one, it leaves the thread
    a stack that is gone, and the next signal with a handler kills the process without a word (2026.4)."""
    import openvino

    return openvino.Core()


_watched = False


def _unload_before_forks() -> None:
    """A forked child has no worker threads: sessions are closed before a fork, and opened again where they run."""
    global _watched
    if not _watched and hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_unload_sessions)
    _watched = True


def _unload_sessions() -> None:
    for program in list(PROGRAMS):
        if isinstance(program, OnnxRuntimeProgram):
            program.unload()


def _tensor(shape: Any, kind: str) -> dict[str, Any]:
    return {"shape": list(shape), "dtype": _TYPES.get(kind, kind)}
