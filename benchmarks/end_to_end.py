"""From a photo file to a score on this machine: decode, preprocess, inference and read-out, and their shares.

    python -m benchmarks end-to-end --photo IMG_0001.jpg

A latency of the network alone flatters: decoding and resizing a 12-megapixel JPEG take longer than scoring it.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from pocketiqa import Scorer
from pocketiqa.bundle import Bundle
from pocketiqa.preprocess import open_photo, preprocess
from pocketiqa.runtime import load_program
from tabulate import tabulate

from benchmarks.statistics import Interval, quantile_intervals

STEPS = ("decode", "preprocess", "inference", "read-out")
TWELVE_MEGAPIXELS = (4032, 3024)


@dataclass(frozen=True)
class EndToEnd:
    """Medians in milliseconds by step, photos per second of ``Scorer.batch``, and what ran."""

    steps: dict[str, Interval]
    total: Interval
    batch_photos_per_second: float
    runtime: str
    photo: str
    n: int

    def __str__(self) -> str:
        whole = {**self.steps, "total": self.total}
        rows = [[step, median, f"{median.value / self.total.value:.0%}"] for step, median in whole.items()]
        table = tabulate(rows, ["step", "ms", "share"], disable_numparse=True, colalign=("left", "left", "right"))
        head = f"{self.photo}, {self.runtime}, n={self.n}; medians with 95 % intervals"
        return f"{head}\n{table}\nScorer.batch: {self.batch_photos_per_second:.3g} photos a second"


def measure(bundle: Bundle, variant: str, threads: int, photo: Path, runs: int, warmups: int = 2) -> EndToEnd:
    """Time the steps on one photo ``runs`` times, then ``Scorer.batch`` on ``runs`` copies of it."""
    program = load_program(bundle.read_variant(variant), threads=threads)
    names = ("score", *bundle.manifest.attribute_names)
    times = {step: [] for step in STEPS}
    for i in range(warmups + runs):
        marks = [time.perf_counter()]
        rgb = open_photo(photo)
        marks.append(time.perf_counter())
        x = preprocess(rgb, bundle.manifest.input)
        marks.append(time.perf_counter())
        quality, *maps = program.run(x)
        marks.append(time.perf_counter())
        dict(zip(names, quality.ravel().tolist())), [each.tolist() for each in maps]
        marks.append(time.perf_counter())
        if i >= warmups:
            for step, spent in zip(STEPS, np.diff(marks) * 1000):
                times[step].append(float(spent))
    totals = np.sum([times[step] for step in STEPS], axis=0)
    steps = {step: quantile_intervals(spent, [0.5])[0] for step, spent in times.items()}
    with Image.open(photo) as header:
        described = f"{photo.name}, {header.width}×{header.height} {header.format}"
    return EndToEnd(
        steps, quantile_intervals(totals, [0.5])[0], _batch_speed(bundle, variant, threads, photo, runs),
        program.runtime_name, described, runs,
    )  # fmt: skip


def twelve_megapixels(bundle: Bundle, target: Path) -> None:
    """A JPEG of a phone's size: an enlarged golden photo, with grain so that it is no easier to decode."""
    enlarged = open_photo(bundle.read(next(iter(bundle.golden)))).resize(TWELVE_MEGAPIXELS, Image.Resampling.BICUBIC)
    grain = np.random.default_rng(0).normal(0, 4, (*TWELVE_MEGAPIXELS[::-1], 1))
    pixels = np.clip(np.asarray(enlarged) + grain, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(target, "JPEG", quality=90)


def _batch_speed(bundle: Bundle, variant: str, threads: int, photo: Path, copies: int) -> float:
    scorer = Scorer(bundle, variant=variant, threads=threads)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{i}{photo.suffix}" for i in range(copies)]
        for path in paths:
            path.symlink_to(photo.resolve())
        scorer(paths[0])
        began = time.perf_counter()
        failed = [result.error for result in scorer.batch(paths) if result.error]
        spent = time.perf_counter() - began
    if failed:
        raise RuntimeError(f"{photo} could not be scored: {failed[0]}")
    return copies / spent
