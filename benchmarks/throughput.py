"""Photos a second of ``Scorer.batch`` on this machine, by size, format and workers, and how near that is to the bound.

    python -m benchmarks throughput --workers 1 2

All rows of a photo are measured in turns, so that a slow spell of the machine hits each of them.

- *Decode alone*: ``read_photo`` on one core, a large JPEG at the scale that the input asks for.
- *One core*: ``Scorer.batch`` with one worker and a program of one thread, both held to one core where the system can.
- *The bound*: the rate of the slowest stage where it has all cores to itself. The stages are decode with preprocess,
  one photo a core, and inference, one photo on all cores.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from pocketiqa import Scorer
from pocketiqa.ahead import usable_cores
from pocketiqa.bundle import Bundle
from pocketiqa.errors import PhotoError
from pocketiqa.photo import open_photo, read_photo
from pocketiqa.preprocess import preprocess
from tabulate import tabulate

from benchmarks.statistics import Interval, interleaved_ratio, quantile_intervals

SIZES = {"12 MP": (4032, 3024), "2 MP": (1632, 1224), "0.2 MP": (512, 384)}
FORMATS = ("JPEG", "PNG", "WEBP")


@dataclass(frozen=True)
class Rate:
    """One kind of photo with one number of workers.

    Attributes:
        photo: its size and format.
        decode: photos a second of decoding alone, on one core.
        workers: of ``Scorer.batch``.
        rate: photos a second.
        gain: times the rate on one core.
        bound: photos a second of the slowest stage.
        slowest: which stage that is.
        share: of the bound.
    """

    photo: str
    decode: Interval
    workers: int
    rate: Interval
    gain: Interval
    bound: float
    slowest: str
    share: Interval


def make_photo(bundle: Bundle, folder: Path, size: str, style: str) -> Path:
    """A golden photo enlarged or reduced to ``SIZES[size]``, with grain so that it is no easier to decode than a real
    one: JPEG and WebP of quality 90."""
    pixels = open_photo(bundle.read(next(iter(bundle.golden)))).resize(SIZES[size], Image.Resampling.BICUBIC)
    grain = np.random.default_rng(0).normal(0, 4, (*SIZES[size][::-1], 1))
    noisy = np.clip(np.asarray(pixels) + grain, 0, 255).astype(np.uint8)
    path = folder / f"{size.replace(' ', '-')}.{style.lower()}"
    Image.fromarray(noisy).save(path, style, quality=90)
    return path


def measure(
    bundle: Bundle, variant: str, photo: Path, label: str, workers: Sequence[int], photos: int, rounds: int
) -> list[Rate]:
    """The rates of one photo, ``rounds`` times ``photos`` copies of it for each number of ``workers``.

    Raises:
        PhotoError: the photo cannot be scored.
    """
    cores = usable_cores()
    spec = bundle.manifest.input
    x = preprocess(photo, spec)

    def decode() -> None:
        for _ in range(photos):
            read_photo(photo, enough=spec.enough)

    def prepare() -> None:
        with ThreadPoolExecutor(cores) as pool:
            list(pool.map(lambda _: preprocess(photo, spec), range(photos)))

    def infer(scorer: Scorer) -> None:
        for _ in range(photos):
            scorer.program.run(x)

    def batch(scorer: Scorer, count: int) -> None:
        for result in scorer.batch([photo] * photos, workers=count):
            if result.error:
                raise PhotoError(f"{photo} could not be scored: {result.error}")

    tasks: dict[str, Callable[[Scorer], None]] = {
        "one core": lambda scorer: batch(scorer, 1),
        "decode": lambda _: decode(),
        "decode with preprocess": lambda _: prepare(),
        "inference": infer,
        **{str(count): lambda scorer, count=count: batch(scorer, count) for count in workers},
    }
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for i, (name, task) in itertools.product(range(rounds + 1), tasks.items()):
        with _one_core() if name == "one core" else nullcontext():
            # The threads of the process's programs are one pool, whose size is set when a program is loaded.
            scorer = Scorer(bundle, variant, threads=1 if name == "one core" else cores)
            began = time.perf_counter()
            task(scorer)
        if i:  # the first round warms up
            seconds[name].append((time.perf_counter() - began) / photos)
    slowest = max(("decode with preprocess", "inference"), key=lambda name: float(np.median(seconds[name])))
    return [
        Rate(
            label, _rate(seconds["decode"]), count, _rate(seconds[str(count)]),
            interleaved_ratio(seconds["one core"], seconds[str(count)]),
            float(1 / np.median(seconds[slowest])), slowest,
            interleaved_ratio(seconds[slowest], seconds[str(count)]),
        )
        for count in workers
    ]  # fmt: skip


@contextmanager
def _one_core() -> Iterator[None]:
    """This thread, and those that it starts, on one core: a worker that decodes ahead would take another."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def table(rates: Sequence[Rate]) -> str:
    """A row a photo and number of workers."""
    rows = [
        [
            rate.photo, f"{rate.decode.value:.3g}", rate.workers, f"{rate.rate.value:.3g}", _short(rate.gain),
            f"{rate.bound:.3g}", rate.slowest, _short(rate.share),
        ]
        for rate in rates
    ]  # fmt: skip
    header = ["photo", "decode alone", "workers", "photos/s", "times one core", "bound", "set by", "share of bound"]
    return tabulate(rows, header, disable_numparse=True)


def _rate(seconds: Sequence[float]) -> Interval:
    """Photos a second, of seconds a photo."""
    (median,) = quantile_intervals(seconds, [0.5])
    return Interval(1 / median.value, 1 / median.high, 1 / median.low)


def _short(interval: Interval) -> str:
    return f"{interval.value:.2f} [{interval.low:.2f}, {interval.high:.2f}]"
