"""Programs of other layouts, timed in turns on one thread; the answer is in ``RESULTS.md`` beside this file.

    python -m quantize.experiments layouts --out runs/layouts
    python -m benchmarks.experiments.layouts runs/layouts layouts.csv
"""

from __future__ import annotations

import csv
import os
import sys
import time
from pathlib import Path

import numpy as np
from pocketiqa.exit_status import run_command
from pocketiqa.files import atomic_file
from pocketiqa.runtime import load_program
from tabulate import tabulate
from tqdm import tqdm

from benchmarks.roofline.layers import layers_of
from benchmarks.statistics import interleaved_ratio, quantile_intervals

ROUNDS, WARMUPS = 60, 3
BASE = "lite0"
_FIGURES = ("int8_ms", "int8_times_lite0", "fp32_over_int8")
COLUMNS = ["layout", "g_macs", *(f"{figure}{end}" for figure in _FIGURES for end in ("", "_low", "_high"))]


def main(folder: Path, rows: Path) -> None:
    """Time every ``NAME_int8.pte``, and ``NAME_fp32.pte`` where there is one; print the table and write its rows."""
    contents = {file.stem: file.read_bytes() for file in sorted(folder.glob("*_*.pte"))}
    programs = {name: load_program(content, threads=1) for name, content in contents.items()}
    macs = {name: sum(layer.macs for layer in layers_of(content)) for name, content in contents.items()}
    x = np.random.default_rng(0).random((2, 3, 320, 320), dtype=np.float32)
    samples: dict[str, list[float]] = {name: [] for name in programs}
    load = os.getloadavg()[0]
    for turn in tqdm(range(WARMUPS + ROUNDS)):
        for name in list(programs) if turn % 2 else reversed(programs):
            began = time.perf_counter()
            programs[name].run(x)
            if turn >= WARMUPS:
                samples[name].append((time.perf_counter() - began) * 1000)
    found = []
    for name in dict.fromkeys([BASE, *(stem.rpartition("_")[0] for stem in programs)]):
        int8, fp32 = samples[f"{name}_int8"], samples.get(f"{name}_fp32")
        intervals = [quantile_intervals(int8, [0.5])[0], interleaved_ratio(int8, samples[f"{BASE}_int8"])]
        if fp32:
            intervals.append(interleaved_ratio(fp32, int8))
        found.append([name, macs[f"{name}_int8"] / 1e9, *intervals])
    heads = ["layout", "G MACs", "int8 ms", "int8, times lite0's", "fp32 / int8"]
    print(tabulate([[str(cell) if n != 1 else cell for n, cell in enumerate(row)] for row in found], heads, "pipe",
                   floatfmt=".2f", disable_numparse=[0, 2, 3, 4]))  # fmt: skip
    print(f"n = {ROUNDS}; load {load:.1f} to {os.getloadavg()[0]:.1f}")
    with atomic_file(rows) as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        for name, macs_g, *intervals in found:
            numbers = [number for each in intervals for number in (each.value, each.low, each.high)]
            writer.writerow(dict(zip(COLUMNS, [name, f"{macs_g:.4f}", *(f"{number:.4f}" for number in numbers)])))


if __name__ == "__main__":
    sys.exit(run_command("benchmarks.experiments.layouts", lambda: main(Path(sys.argv[1]), Path(sys.argv[2]))))
