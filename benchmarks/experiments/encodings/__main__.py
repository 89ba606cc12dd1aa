"""Score photos in every encoding, and compare each score with that of the pixels that the file stands for, in 8 bits.

    python -m benchmarks.experiments.encodings PHOTOS [--limit 300] [--workers 2]

Each photo is cut and scaled to 320×320. The table is printed. ``results/encodings.csv`` gets a row a photo and a column
an encoding: the difference of the scores, ``w`` behind it where the result carries a warning, or ``refused``.
"""

from __future__ import annotations

import argparse
import csv
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from pocketiqa.exit_status import run_command
from pocketiqa.files import atomic_file
from tabulate import tabulate
from tqdm import tqdm

from benchmarks.experiments.encodings.encoders import ENCODERS
from benchmarks.experiments.encodings.scoring import row

RESULTS = Path(__file__).parents[1] / "results" / "encodings.csv"
BOUND = 0.02


def main() -> None:
    """Encode, score, write the CSV, print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.experiments.encodings")
    parser.add_argument("photos", type=Path, help="a folder of photos")
    parser.add_argument("--limit", type=int, default=300)
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    every = sorted(path for path in options.photos.iterdir() if path.suffix.lower() in (".jpg", ".png"))
    paths = [every[i] for i in np.linspace(0, len(every) - 1, min(options.limit, len(every))).astype(int)]
    with ProcessPoolExecutor(options.workers, get_context("spawn")) as pool:
        rows = list(tqdm(pool.map(row, paths), total=len(paths)))
    with atomic_file(options.out, newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([["photo", *ENCODERS], *rows])
    print(table(rows))


def table(rows: list[list[str]]) -> str:
    """A row an encoding: how many were scored, warned of and refused; differences are of those without a warning."""
    lines = []
    for name, *cells in zip(["photo", *ENCODERS], *rows):
        if name == "photo":
            continue
        plain = np.abs([float(cell) for cell in cells if cell[-1].isdigit()])
        warned = [float(cell[:-1]) for cell in cells if cell.endswith("w")]
        refused = cells.count("refused")
        mean, most = (f"{plain.mean():.4f}", f"{plain.max():.4f}") if len(plain) else ("", "")
        lines.append([name, len(plain), len(warned), refused, mean, most, int((plain > BOUND).sum())])
    head = ["encoding", "scored", "with a warning", "refused", "mean |Δ|", "max |Δ|", f"over {BOUND}"]
    return tabulate(lines, head, tablefmt="github", disable_numparse=True, colalign=("left", *["right"] * 6))


if __name__ == "__main__":
    sys.exit(run_command("benchmarks.experiments.encodings", main))
