"""What one core can do: multiplications a second of oneDNN's matrix products, and bytes a second of a copy.

    python -m benchmarks.roofline.peaks       # which of oneDNN's kernels run

torch brings oneDNN. Each probe is a function that runs once and knows how much work that was, so that a measurement can
take them in turns with a program.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

# Of the square matrices: they fit into the second cache, and one product takes a few milliseconds.
SIDE = 768
# Bytes that a copy reads and writes, from what a first cache holds to more than any last one does.
SIZES = tuple(mebibytes * 2**20 for mebibytes in (1, 4, 16, 64, 512))
# A copy of less is repeated, so that a clock's ticks do not count.
_LEAST_BYTES = 64 * 2**20
INT8, FLOAT = "int8", "fp32"


@dataclass(frozen=True)
class Probe:
    """A measurement of what a core can do.

    Attributes:
        work: multiply-accumulates or bytes of one run.
        run: runs it once, on one thread.
    """

    work: int
    run: Callable[[], object]

    def rate(self) -> float:
        """Work a second of one run, now."""
        began = time.perf_counter()
        self.run()
        return self.work / (time.perf_counter() - began)


def products() -> dict[str, Probe]:
    """Matrix products of int8, summed in int32, and of float32."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    whole = [torch.randint(-127, 128, (SIDE, SIDE), dtype=torch.int8, generator=generator) for _ in range(2)]
    real = [torch.rand(SIDE, SIDE, generator=generator) for _ in range(2)]
    probes = {INT8: lambda: torch._int_mm(*whole), FLOAT: lambda: torch.mm(*real)}
    if torch.backends.mkldnn.is_available():  # torch.mm is another library's on x86, and slower on AMD's
        blocked = real[0].to_mkldnn()
        probes[FLOAT] = lambda: torch.ops.aten.mkldnn_linear(blocked, real[1])
    return {name: Probe(SIDE**3, run) for name, run in probes.items()}


def copies() -> dict[int, Probe]:
    """A copy a size in ``SIZES``: STREAM's Copy, which counts what is read and what is written.

    Source: J. D. McCalpin, "Memory bandwidth and machine balance in current high performance computers", 1995.
    """
    torch.set_num_threads(1)
    return {size: _copy(size) for size in SIZES}


def _copy(size: int) -> Probe:
    source, target = torch.ones(size // 2, dtype=torch.uint8), torch.empty(size // 2, dtype=torch.uint8)
    times = max(1, _LEAST_BYTES // size)

    def run() -> None:
        for _ in range(times):
            target.copy_(source)

    return Probe(size * times, run)


def kernels() -> list[str]:
    """The instruction set that oneDNN found, then the kernel of each product, in its own words; empty where torch has
    no oneDNN."""
    done = subprocess.run(
        [sys.executable, "-m", __name__], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
        env={**os.environ, "ONEDNN_VERBOSE": "1", "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
    return kernels_in(done.stdout)


def kernels_in(verbose: str) -> list[str]:
    """The same of what ``ONEDNN_VERBOSE=1`` prints."""
    isa = re.findall(r"^onednn_verbose.*,info,cpu,isa:(.*)$", verbose, re.MULTILINE)
    ran = re.findall(r"^onednn_verbose.*,primitive,exec,cpu,((?!reorder)[^,]*),([^,]*),", verbose, re.MULTILINE)
    return [*isa, *dict.fromkeys(f"{primitive} {kernel}".strip() for primitive, kernel in ran)]


if __name__ == "__main__":
    for probe in products().values():
        probe.run()
