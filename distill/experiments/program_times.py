"""How long programs take beside each other: in turns, so that what slows the machine slows all of them."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np
from pocketiqa.preprocess import PreprocessSpec
from scipy.stats import bootstrap
from tqdm import tqdm

from distill.data.intervals import CONFIDENCE
from distill.experiments.table import Estimate

_WARM_UPS = 3
Program = Callable[[np.ndarray], object]


def timed(programs: dict[PreprocessSpec, Program], rounds: int) -> dict[PreprocessSpec, np.ndarray]:
    """Milliseconds of each program in every round; its turn comes forwards and backwards by turns."""
    random = np.random.default_rng(0)
    views = {spec: random.random(spec.shape, dtype=np.float32) for spec in programs}
    found: dict[PreprocessSpec, list[float]] = {spec: [] for spec in programs}
    for number in tqdm(range(_WARM_UPS + rounds), desc="rounds"):
        for spec in list(programs)[:: 1 if number % 2 else -1]:
            begin = perf_counter()
            programs[spec](views[spec])
            found[spec].append(1e3 * (perf_counter() - begin))
    return {spec: np.array(each[_WARM_UPS:]) for spec, each in found.items()}


def ratio(own: np.ndarray, shipped: np.ndarray, resamples: int, seed: int) -> Estimate:
    """Median of n rounds' ratios and half its 95 % interval: what slows a whole round cancels."""
    found = bootstrap(
        (own / shipped,), np.median, n_resamples=resamples, method="percentile", confidence_level=CONFIDENCE, rng=seed
    )
    low, high = found.confidence_interval
    return Estimate(float(np.median(own / shipped)), float(high - low) / 2)
