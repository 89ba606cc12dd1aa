"""Large photos halved before their views are cut, against the whole photo: scores, ranks and the gate's decisions.

    python -m benchmarks.experiments.halving --photos POLYU PCUID SR4KIQA --pristine BSDS500 [--limit 100] [--made 300]

``--photos`` are large JPEGs, taken as they are where they are large enough to be halved, else continued to 4032×3024
pixels by their mirror images, pixel by pixel. ``--pristine`` are made large: each photo, reduced to 512 pixels, gets
one of the 24 degradations at one of five levels, or none in every sixth; then it is enlarged, with grain of the large
pixels' size, or continued by its mirror images, which is sharper than any camera. They become JPEGs of quality 92.

Each is scored from the whole photo, halved by libjpeg, and by means of squares, as a browser does. The table is
printed; ``results/halving.csv`` gets a row a photo.
"""

from __future__ import annotations

import argparse
import csv
import functools
import io
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from pocketiqa import Bundle, Gate, Scorer, compare
from pocketiqa.exit_status import run_command
from pocketiqa.files import atomic_file
from pocketiqa.halving import factor_of
from pocketiqa.photo import open_photo
from tabulate import tabulate
from tqdm import tqdm

from distill.data.degraded_photos import degraded_pixels, pristine_photos, reduced
from distill.degradations.degrade import KINDS, LEVELS

RESULTS = Path(__file__).parent / "results" / "halving.csv"
_PHONE = (4032, 3024)
# 2,865 is the least short side that is halved; 50 megapixels are halved twice.
SIZES = (_PHONE, (3824, 2868), _PHONE, (6000, 4000), _PHONE, (4608, 3456), _PHONE, (8160, 6120))
_LEAST = 1800  # of a photo's short side, that most of 4032×3024 is the photo
HEAD = ("set", "photo", "width", "height", "whole", "halved", "means", "accepted", "accepted halved")


class Job(NamedTuple):
    """A photo of a set; ``number`` says how it is made large, None that it is taken as it is."""

    set: str
    photo: Path
    number: int | None


def main() -> None:
    """Score, write the CSV, print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.experiments.halving")
    parser.add_argument("--photos", type=Path, nargs="*", default=[], help="folders of large JPEGs")
    parser.add_argument("--pristine", type=Path, nargs="*", default=[], help="folders of undistorted photos")
    parser.add_argument("--limit", type=int, default=100, help="photos of a folder of --photos")
    parser.add_argument("--made", type=int, default=300, help="photos made of --pristine")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    jobs = [Job(folder.name, photo, None) for folder in options.photos for photo in _large(folder, options.limit)]
    pristine = pristine_photos(options.pristine) if options.pristine else []
    for number, photo in enumerate(pristine[: options.made]):
        jobs.append(Job("made, continued" if number % 2 else "made, enlarged", photo, number))
    with ProcessPoolExecutor(options.workers, get_context("spawn")) as pool:
        rows = list(tqdm(pool.map(row, jobs), total=len(jobs)))
    with atomic_file(options.out, newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([HEAD, *rows])
    print(table(rows))


def row(job: Job) -> tuple[str | int | float, ...]:
    """A photo's row of the CSV."""
    halving, whole, gate = _scorers()
    if job.number is not None:
        encoded = made_large(job.photo, job.number)
    else:
        enough = halving.bundle.manifest.input.enough
        rgb = open_photo(job.photo)
        encoded = job.photo.read_bytes() if factor_of(rgb.size, enough) > 1 else _jpeg(continued(np.array(rgb), _PHONE))
    before, after = whole(encoded), halving(encoded)
    means = halving(Image.open(io.BytesIO(encoded)))
    scores = (round(result.score, 5) for result in (before, after, means))
    decisions = (int(gate.decide(result).accepted) for result in (before, after))
    return (job.set, job.photo.name, before.width, before.height, *scores, *decisions)


def made_large(photo: Path, number: int) -> bytes:
    """A pristine photo as a large JPEG, as the module's docstring says."""
    kind, level = KINDS[number % len(KINDS)], 0 if number % 6 == 0 else LEVELS[number // 6 % len(LEVELS)]
    pixels = degraded_pixels(reduced(photo), kind, level, number)
    width, height = SIZES[number // 2 % len(SIZES)]
    if number % 2:
        large = continued(pixels, (width, height))
    else:
        large = np.array(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))
        random = np.random.default_rng(number)
        for top in range(0, height, 500):
            rows = large[top : top + 500]
            rows[:] = np.clip(rows + random.integers(-6, 7, (*rows.shape[:2], 1), dtype=np.int16), 0, 255)
    return _jpeg(large)


def continued(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A photo, uint8 H×W×3, at ``size`` (width, height): behind its edges lie its mirror images."""
    (width, height), (rows, columns) = size, pixels.shape[:2]
    return np.pad(pixels, ((0, max(0, height - rows)), (0, max(0, width - columns)), (0, 0)), "symmetric")[
        :height, :width
    ]


def _jpeg(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=92)
    return file.getvalue()


def table(rows: list[tuple[str | int | float, ...]]) -> str:
    """A row a set and way to halve, against the whole photos, and both sets that are made together."""
    lines = []
    sets = dict.fromkeys(row[0] for row in rows)
    for name in [*sets, "all"]:
        chosen = [row for row in rows if name in (row[0], "all")]
        names = [str(row[1]) for row in chosen]
        whole, halved, means = (np.array([row[place] for row in chosen], float) for place in (4, 5, 6))
        decided = sum(row[7] != row[8] for row in chosen)
        for way, scores in (("by libjpeg", halved), ("by means", means)):
            report = compare(whole, scores, names)
            figures = (
                f"{report.mean_abs:.4f}",
                f"{report.max_abs:.4f}",
                f"{report.srcc:.5f}",
                f"{report.clear_flips:.3%}",
            )
            lines.append([name, len(chosen), way, *figures, decided if way == "by libjpeg" else ""])
    head = ["photos", "n", "halved", "mean |Δ|", "max |Δ|", "SRCC", "clear flips", "other decisions"]
    return tabulate(
        lines, head, tablefmt="github", disable_numparse=True, colalign=("left", "right", "left", *["right"] * 5)
    )


def _large(folder: Path, limit: int) -> list[Path]:
    """JPEGs below a folder with a short side of ``_LEAST`` pixels, spread over them."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    large = [path for path in paths if min(Image.open(path).size) >= _LEAST]
    return [large[i] for i in np.linspace(0, len(large) - 1, min(limit, len(large))).astype(int)]


@functools.cache
def _scorers() -> tuple[Scorer, Scorer, Gate]:
    """One that halves, one that does not, and the gate."""
    halving = Scorer(threads=1)
    return halving, Scorer(without_halving(halving.bundle), threads=1), Gate.of(halving.bundle)


def without_halving(bundle: Bundle) -> Bundle:
    """The bundle, its input spec reading large photos whole."""
    return replace(bundle, manifest=replace(bundle.manifest, input=bundle.manifest.input.of_tensor))


if __name__ == "__main__":
    sys.exit(run_command("benchmarks.experiments.halving", main))
