"""Core ML itself, where there is one."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np


def coreml_predict(path: Path, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run a package with Apple's own Core ML: same inputs and outputs as :meth:`MilProgram.run`. macOS only.

    Raises:
        RuntimeError: this is not macOS, which alone has Core ML; use :class:`MilProgram` here.
    """
    if sys.platform != "darwin":
        raise RuntimeError(
            f"Core ML runs on macOS only, and this is {sys.platform}; MilProgram executes the same package"
        )
    from coremltools.models import MLModel

    return MLModel(str(path)).predict(inputs)
