"""The runtimes, and which of them runs a program.

    program = load_program("student_int8.pte")
    quality, quality_map = program.run(x)

A file's format decides which runtimes can run it. Of a ``.pte``'s two, ``executorch-numpy-runtime`` (no torch, Python
3.12 and newer) is taken when it is installed, else ``executorch`` (the official one, which imports torch). An ``.onnx``
or ``.tflite`` file is run only by the runtime that is named. ``prefer=`` or the environment variable
``POCKETIQA_RUNTIME`` names one by its package's name.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from pocketiqa.errors import BundleError, RuntimeUnavailable, one_line
from pocketiqa.files import read_regular_file
from pocketiqa.manifest import MAX_FILE_BYTES
from pocketiqa.runtimes.program import Program
from pocketiqa.threadpool import LOCK

VARIABLE = "POCKETIQA_RUNTIME"
PTE, ONNX, TFLITE = ".pte", ".onnx", ".tflite"


@dataclass(frozen=True)
class Runtime:
    """One runtime.

    Attributes:
        format: the ending of the files that it runs.
        module: that its package brings.
        program: module and class of ``pocketiqa.runtimes`` that drive it, with a colon between them.
        by_itself: whether it may be taken without being named.
    """

    format: str
    module: str
    program: str
    by_itself: bool = False


RUNTIMES = {
    "executorch-numpy-runtime": Runtime(PTE, "executorch_numpy_runtime", "executorch:NumpyRuntimeProgram", True),
    "executorch": Runtime(PTE, "executorch", "executorch:ExecutorchProgram", True),
    "onnxruntime": Runtime(ONNX, "onnxruntime", "onnx:OnnxRuntimeProgram"),
    "openvino": Runtime(ONNX, "openvino", "onnx:OpenVinoProgram"),
    "ai-edge-litert": Runtime(TFLITE, "ai_edge_litert", "litert:LiteRtProgram"),
}


def installed_runtimes(format: str = PTE) -> dict[str, str]:
    """Package name and version of each runtime of a format that is installed, in order of preference."""
    return {
        package: version(package)
        for package, runtime in RUNTIMES.items()
        if runtime.format == format and importlib.util.find_spec(runtime.module)
    }


def load_program(
    data_or_path: bytes | str | os.PathLike[str], threads: int | None = None, prefer: str | None = None
) -> Program:
    """Load a ``.pte``, ``.onnx`` or ``.tflite`` program.

    Args:
        data_or_path: the program's bytes, or the path of its file.
        threads: for a ``.pte``, workers of the process's pool, which all its programs of the process share; for others,
            threads of this program. None leaves the runtime's own choice.
        prefer: a key of ``RUNTIMES``; default the environment variable ``POCKETIQA_RUNTIME``, else the first
            that is installed and may be taken without being named.

    Raises:
        BundleError: the file is missing or no program.
        RuntimeUnavailable: no such runtime, it does not run files of this format, it cannot load the program, or it
            cannot set ``threads``.
    """
    content = data_or_path if isinstance(data_or_path, bytes) else read_program(Path(data_or_path))
    package = _choose(_format(content), prefer or os.environ.get(VARIABLE) or None)
    name = f"{package} {version(package)}"
    with LOCK:
        try:
            return _class(package)(content, name, threads)
        except RuntimeUnavailable:
            raise
        except Exception as error:  # each runtime raises types of its own
            raise RuntimeUnavailable(
                f"{name} cannot load the program: {one_line(error)}; it is damaged, or for a newer runtime"
            ) from error


def read_program(path: Path) -> bytes:
    """A program file's bytes; raises BundleError when it cannot be read, or is over 256 MiB."""
    content = read_regular_file(path, MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise BundleError(f"{path} is over the limit of {MAX_FILE_BYTES} bytes for a program")
    return content


def _format(content: bytes) -> str:
    if content[4:6] == b"ET":
        return PTE
    if content[4:8] == b"TFL3":
        return TFLITE
    if content[:1] == b"\x08" and content[2:3] == b"\x12":  # the version of ONNX's format, then who wrote the file
        return ONNX
    raise BundleError("not an ExecuTorch program, nor an .onnx or .tflite file, by its first bytes; pass one of these")


def _choose(format: str, preferred: str | None) -> str:
    if preferred is not None:
        if preferred not in RUNTIMES:
            raise RuntimeUnavailable(f"unknown runtime {preferred!r}; known are {', '.join(RUNTIMES)}")
        if (runs := RUNTIMES[preferred].format) != format:
            raise RuntimeUnavailable(f"{preferred} runs {runs} files, not {format}; name a runtime of {format} files")
    able = {package: runtime for package, runtime in RUNTIMES.items() if runtime.format == format}
    for package, runtime in able.items():
        if (package == preferred or (preferred is None and runtime.by_itself)) and importlib.util.find_spec(
            runtime.module
        ):
            return package
    if preferred is None and not any(runtime.by_itself for runtime in able.values()):
        raise RuntimeUnavailable(f"a {format} file runs only where its runtime is named: {' or '.join(able)}")
    raise RuntimeUnavailable(f"no runtime: install {preferred or ' or '.join(able)} with pip")


def _class(package: str) -> type[Program]:
    module, _, name = RUNTIMES[package].program.partition(":")
    return getattr(importlib.import_module(f"pocketiqa.runtimes.{module}"), name)
