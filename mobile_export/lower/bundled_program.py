"""``.bpte``: the program with golden inputs and expected outputs inside, ExecuTorch's own BundledProgram.

ExecuTorch's ``executor_runner``, built with bundle IO, proves parity on a phone with no code of ours: it feeds the
inputs, compares the outputs, logs PASS or FAIL and sets its exit status.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from pocketiqa.runtime import load_program

from mobile_export.lower.request import Request

# One golden photo in seven of 24 sorted ones has each of the four treatments once.
_BUNDLED_EVERY = 7


def write_bpte(request: Request) -> None:
    """Write the int8 ``.pte`` with some golden inputs, and the outputs that it gives for them."""
    program = request.needed["int8"]
    loaded = load_program(program.read_bytes(), prefer="executorch")
    cases = [(views, loaded.run(views)) for views in bundled_cases(request.inputs)]
    write_bundled_program(program, cases, request.path)


def bundled_cases(rows: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    """Of the golden photos' inputs or outputs, those of the photos that are inside."""
    return rows[::_BUNDLED_EVERY]


def write_bundled_program(program: Path, cases: Sequence[tuple[np.ndarray, Sequence[np.ndarray]]], path: Path) -> None:
    """Write ``program`` (a ``.pte``) and its cases, each an input and the outputs expected of it, as one ``.bpte``."""
    # Imported here, as below: the developer tools take a second to load, and only a build needs them.
    from executorch.devtools import BundledProgram
    from executorch.devtools.bundled_program.config import MethodTestCase, MethodTestSuite
    from executorch.devtools.bundled_program.serialize import serialize_from_bundled_program_to_flatbuffer

    tests = [
        MethodTestCase([torch.from_numpy(views)], [torch.from_numpy(output) for output in outputs])
        for views, outputs in cases
    ]
    bundled = BundledProgram(None, [MethodTestSuite("forward", tests)], str(program))
    path.write_bytes(serialize_from_bundled_program_to_flatbuffer(bundled))


def run_bundled_program(path: Path, cases: int, tolerance: float) -> list[np.ndarray]:
    """``quality`` of every bundled case, float32 1×7, computed by the official runtime from the file's own inputs.

    Raises:
        ValueError: the runtime finds an output further than ``tolerance`` from the one that the file expects.
    """
    from executorch.extension.pybindings import portable_lib

    bundle = portable_lib._load_bundled_program_from_buffer(path.read_bytes())
    found = []
    for case in range(cases):
        try:
            outputs = bundle.verify_result_with_bundled_expected_output("forward", case, 0.0, tolerance)
        except RuntimeError as error:
            raise ValueError(f"{path.name}: case {case} is not within {tolerance:g} of what it expects") from error
        found.append(outputs[0].numpy().copy())
    return found
