"""The torch-free runtime as a parity check: the same ``.pte`` in ``executorch-numpy-runtime``, in its own interpreter.

That runtime needs Python 3.12 and this checkout runs on 3.11 as well, so the program is run in a subprocess. Which
Python: the one that was named, this one if it has the runtime, or one that uv has at hand, without any download.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pocketiqa

PACKAGE = "executorch-numpy-runtime"
_PINNED = "executorch-numpy-runtime==1.4.0"
_SDK = Path(pocketiqa.__file__).parents[1]
_TIMEOUT = 240  # seconds; a start takes one, a photo a tenth
_SCRIPT = """
import sys, numpy
sys.path.insert(0, sys.argv[1])
from pocketiqa.runtime import load_program
program = load_program(sys.argv[2], prefer="executorch-numpy-runtime")
inputs = numpy.load(sys.argv[3], mmap_mode="r")
numpy.save(sys.argv[4], numpy.concatenate([program.run(numpy.array(views))[0] for views in inputs]))
print(program.runtime_name)
"""


class NoTorchFreeRuntime(RuntimeError):
    """No interpreter with the torch-free runtime; the message says what to do."""


def find_python(named: Path | None = None) -> list[str]:
    """The command that starts a Python with the torch-free runtime, numpy and Pillow.

    Raises:
        NoTorchFreeRuntime: there is none.
    """
    probe = ["-c", "import executorch_numpy_runtime, numpy, PIL, tqdm"]
    if named is not None:
        if not _works([str(named), *probe]):
            raise NoTorchFreeRuntime(
                f"{named} cannot import {PACKAGE}; it needs Python 3.12 and `pip install pocketiqa`"
            )
        return [str(named)]
    if importlib.util.find_spec("executorch_numpy_runtime"):
        return [sys.executable]
    if shutil.which("uv"):
        packages = [word for name in (_PINNED, "numpy", "pillow", "tqdm") for word in ("--with", name)]
        command = ["uv", "run", "--offline", "--no-project", "--python", ">=3.12", *packages, "python"]
        if _works([*command, *probe]):
            return command
    raise NoTorchFreeRuntime(
        f"no Python 3.12 with {PACKAGE} at hand; make one with: uv venv --python 3.12 runs/py312 && uv pip install "
        "--python runs/py312 ./sdk_python, and name it with --torch-free-python runs/py312/bin/python"
    )


def run_torch_free(python: Sequence[str], program: Path, inputs: Sequence[np.ndarray]) -> tuple[np.ndarray, str]:
    """``quality`` of every input, n×7 float32, and the name of the runtime.

    Raises:
        NoTorchFreeRuntime: the interpreter failed; the message ends as it did.
    """
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder) / "inputs.npy", Path(folder) / "outputs.npy"
        np.save(given, np.stack(inputs))
        command = [*python, "-c", _SCRIPT, str(_SDK), str(program.resolve()), str(given), str(found)]
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT)
        if result.returncode:
            last = (result.stderr.strip().splitlines() or ["no message"])[-1]
            raise NoTorchFreeRuntime(f"{PACKAGE} could not run {program.name}: {last}")
        return np.load(found), result.stdout.strip()


def _works(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=_TIMEOUT).returncode == 0
    except OSError:
        return False
