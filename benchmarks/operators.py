"""Where a program's time goes: XNNPACK's own time for each operator, by kind.

    python -m benchmarks operators --bundle dist/pocketiqa-lite0-0.1.0 --variant int8

The event tracer of the official runtime is on meanwhile, so the sum explains a latency and is none.
"""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from tabulate import tabulate

# The event that spans a whole run.
WHOLE = "Method::execute"
_PLUMBING = ("Method::", "Program::", "DELEGATE_CALL", "OPERATOR_CALL")


@dataclass(frozen=True)
class OperatorKind:
    """All operators of one kind: how many there are, and the sum of their median times."""

    name: str
    count: int
    ms: float


class TracedProgram:
    """A ``.pte``'s bytes on one thread of the official runtime, with the tracer on."""

    def __init__(self, program: bytes) -> None:
        # They take seconds, and --help needs none of them.
        from executorch.extension.pybindings import portable_lib
        from executorch.runtime import Runtime

        portable_lib._unsafe_reset_threadpool(1)
        self._program = Runtime.get().load_program(program, enable_etdump=True)
        self._method = self._program.load_method("forward")

    def run(self, x: np.ndarray) -> None:
        """Run it once on its input ``x``."""
        import torch

        self._method.execute([torch.from_numpy(x)])

    def times(self) -> dict[str, list[float]]:
        """Milliseconds of each run so far by operator, in the order in which they ran, as ``NAME #NUMBER``, and of the
        whole as ``WHOLE``.

        Raises:
            ValueError: the installed runtime records no operators.
        """
        from executorch.devtools import Inspector

        with tempfile.TemporaryDirectory() as folder:
            dump = Path(folder) / "program.etdp"
            self._program.write_etdump_result_to_file(str(dump), str(dump) + ".debug")
            blocks = Inspector(etdump_path=str(dump)).event_blocks
        times = {
            event.name: list(event.perf_data.raw)
            for block in blocks
            for event in block.events
            if event.perf_data and (event.name == WHOLE or not event.name.startswith(_PLUMBING))
        }
        if not times.keys() - {WHOLE}:
            raise ValueError("the runtime recorded no operators; executorch 1.5's wheel has the event tracer")
        return times


def operator_kinds(program: bytes, x: np.ndarray, runs: int) -> list[OperatorKind]:
    """Run a ``.pte``'s bytes on one thread with the tracer on; its kinds of operator, slowest first.

    Args:
        x: the program's input.
        runs: how often; an operator's time is the median of them.

    Raises:
        ValueError: the installed runtime records no operators.
    """
    traced = TracedProgram(program)
    for _ in range(runs):
        traced.run(x)
    return summed([(name, median(times)) for name, times in traced.times().items() if name != WHOLE])


def summed(times: list[tuple[str, float]]) -> list[OperatorKind]:
    """Operators ``NAME #NUMBER`` and their times, summed by name."""
    by_name = defaultdict(list)
    for name, ms in times:
        by_name[re.sub(r" #\d+$", "", name)].append(ms)
    kinds = [OperatorKind(name, len(found), sum(found)) for name, found in by_name.items()]
    return sorted(kinds, key=lambda kind: -kind.ms)


def table(found: list[OperatorKind]) -> str:
    """The kinds as text, with their shares."""
    total = sum(kind.ms for kind in found)
    rows = [[kind.name, kind.count, kind.ms, f"{kind.ms / total:.0%}"] for kind in found]
    rows.append(["total", sum(kind.count for kind in found), total, "100%"])
    return tabulate(
        rows, ["operator", "count", "ms", "share"], floatfmt=".3f", colalign=("left", "right", "right", "right")
    )
