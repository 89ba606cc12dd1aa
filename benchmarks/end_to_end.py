"""From a photo file to a score on this machine: decode, preprocess, inference and read-out, and their shares.

    python -m benchmarks end-to-end --photo IMG_0001.jpg

A latency of the network alone flatters: decoding and resizing a 12-megapixel JPEG take longer than scoring it. Each
turn also decodes the whole picture, by ``open_photo``, by Pillow and by simplejpeg (all libjpeg-turbo), so that the
ratios do not depend on the machine's mood.
"""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image
from pocketiqa import Scorer
from pocketiqa.bundle import Bundle
from pocketiqa.photo import open_photo, read_photo
from pocketiqa.preprocess import input_of
from pocketiqa.runtime import load_program
from tabulate import tabulate

from benchmarks.statistics import Interval, interleaved_ratio, quantile_intervals

STEPS = ("decode", "preprocess", "inference", "read-out")
TWELVE_MEGAPIXELS = (4032, 3024)


@dataclass(frozen=True)
class EndToEnd:
    """What one photo takes.

    Attributes:
        steps, total: medians in milliseconds.
        whole: medians in milliseconds of decoding the whole picture, by decoder.
        prepared, all: decode with preprocess, and all steps, in times of each of ``whole``.
        batch_photos_per_second: of ``Scorer.batch``.
        runtime, photo, n: what ran, on what, and how often.
    """

    steps: dict[str, Interval]
    total: Interval
    whole: dict[str, Interval]
    prepared: dict[str, Interval]
    all: dict[str, Interval]
    batch_photos_per_second: float
    runtime: str
    photo: str
    n: int

    def __str__(self) -> str:
        whole = {**self.steps, "total": self.total}
        rows = [[step, median, f"{median.value / self.total.value:.0%}"] for step, median in whole.items()]
        table = tabulate(rows, ["step", "ms", "share"], disable_numparse=True, colalign=("left", "left", "right"))
        head = f"{self.photo}, {self.runtime}, n={self.n}; medians with 95 % intervals"
        ratios = [
            f"{decoder} decodes the whole picture in {took} ms; decode and preprocess take {self.prepared[decoder]} "
            f"times as long, all steps {self.all[decoder]}"
            for decoder, took in self.whole.items()
        ]
        return "\n".join([head, table, *ratios, f"Scorer.batch: {self.batch_photos_per_second:.3g} photos a second"])


def measure(bundle: Bundle, variant: str, threads: int, photo: Path, runs: int, warmups: int = 2) -> EndToEnd:
    """Time the steps on one photo ``runs`` times, beside decoding it whole, then ``batch`` on as many copies."""
    encoded, spec = photo.read_bytes(), bundle.manifest.input
    program = load_program(bundle.read_variant(variant), threads=threads)
    names = ("score", *bundle.manifest.attribute_names)
    times: dict[str, list[float]] = {step: [] for step in STEPS}
    decoders = _decoders(encoded)
    whole: dict[str, list[float]] = {decoder: [] for decoder in decoders}
    for i in range(warmups + runs):
        for decoder, decode in decoders.items():
            began = time.perf_counter()
            decode(encoded)
            if i >= warmups:
                whole[decoder].append((time.perf_counter() - began) * 1000)
        marks = [time.perf_counter()]
        picture = read_photo(photo, enough=spec.enough)
        marks.append(time.perf_counter())
        x = input_of(picture, spec)
        marks.append(time.perf_counter())
        quality, *maps = program.run(x)
        marks.append(time.perf_counter())
        dict(zip(names, quality.ravel().tolist())), [each.tolist() for each in maps]
        marks.append(time.perf_counter())
        if i >= warmups:
            for step, spent in zip(STEPS, np.diff(marks) * 1000):
                times[step].append(float(spent))
    totals = np.sum([times[step] for step in STEPS], axis=0)
    prepared = np.sum([times[step] for step in STEPS[:2]], axis=0)
    steps = {step: quantile_intervals(spent, [0.5])[0] for step, spent in times.items()}
    with Image.open(photo) as header:
        described = f"{photo.name}, {header.width}×{header.height} {header.format}"
    return EndToEnd(
        steps, quantile_intervals(totals, [0.5])[0],
        {decoder: quantile_intervals(spent, [0.5])[0] for decoder, spent in whole.items()},
        {decoder: interleaved_ratio(prepared, spent) for decoder, spent in whole.items()},
        {decoder: interleaved_ratio(totals, spent) for decoder, spent in whole.items()},
        _batch_speed(bundle, variant, threads, photo, runs), program.runtime_name, described, runs,
    )  # fmt: skip


def _decoders(encoded: bytes) -> dict[str, Callable[[bytes], object]]:
    """Ways to decode the whole picture: to upright sRGB, and to pixels alone; simplejpeg reads JPEG alone."""
    decoders: dict[str, Callable[[bytes], object]] = {
        "open_photo": open_photo,
        "Pillow": lambda content: Image.open(io.BytesIO(content)).load(),
    }
    if encoded.startswith(b"\xff\xd8"):
        decoders["simplejpeg"] = simplejpeg.decode_jpeg
    return decoders


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
