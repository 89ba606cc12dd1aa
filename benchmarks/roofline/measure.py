"""Peaks and a program in turns on one core, and what they say of each layer.

    python -m benchmarks roofline --bundle dist/pocketiqa-lite0-0.1.0 --json roofline.json

A peak is the best of the rounds, as STREAM's are: what else runs on the machine only hides it. A time is the median of
the rounds, by the tracer of the runtime.

Source of the model: S. Williams, A. Waterman, D. Patterson, "Roofline: an insightful visual performance model for
multicore architectures", Communications of the ACM 52(4), 2009.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from statistics import median

import numpy as np
from tqdm import tqdm

from benchmarks.operators import WHOLE, TracedProgram
from benchmarks.roofline.join import joined
from benchmarks.roofline.layers import Layer, layers_of
from benchmarks.roofline.record import LayerFigures, Peaks
from benchmarks.statistics import Interval, quantile_intervals

WARMUPS = 3


@dataclass(frozen=True)
class Measured:
    """Peaks, layers and a whole run; attributes as `benchmarks.roofline.record.RooflineRecord`'s."""

    peaks: Peaks
    layers: list[LayerFigures]
    ms: Interval
    bound_ms: float
    share: Interval
    runtime: str


def measure(program: bytes, x: np.ndarray, rounds: int) -> Measured:
    """The roofline of a ``.pte``'s bytes on one thread of this machine.

    Args:
        x: the program's input.
        rounds: of each product, each copy and the program, in turns.

    Raises:
        ValueError: XNNPACK runs nothing of this program, or the runtime records no operators.
    """
    from benchmarks.roofline.peaks import copies, kernels, products

    layers = layers_of(program)
    traced = TracedProgram(program)
    probes = {**products(), **copies()}
    rates = {name: [] for name in probes}
    for _ in tqdm(range(WARMUPS + rounds), desc="rounds", unit="round", disable=None):
        for name, probe in probes.items():
            rates[name].append(probe.rate())
        traced.run(x)
    best = {name: max(seen) for name, seen in rates.items()}
    peaks = Peaks(
        {name: rate for name, rate in best.items() if isinstance(name, str)},
        {size: rate for size, rate in best.items() if isinstance(size, int)},
        kernels(),
    )
    times = {name: ms[WARMUPS:] for name, ms in traced.times().items()}
    return described(layers, times, peaks, f"executorch {version('executorch')}")


def described(layers: list[Layer], times: dict[str, list[float]], peaks: Peaks, runtime: str) -> Measured:
    """What peaks and times say of the layers.

    Args:
        times: milliseconds of each run by operator, in the order in which they ran, and of the whole as ``WHOLE``.
    """
    pairs = joined(layers, [name for name in times if name != WHOLE])
    figures = [_figures(layer, name, times, peaks) for layer, name in pairs]
    (ms,) = quantile_intervals(times[WHOLE], [0.5])
    bound = sum(one.bound_ms for one in figures)
    share = Interval(bound / ms.value, bound / ms.high, bound / ms.low)
    return Measured(peaks, figures, ms, bound, share, runtime)


def _figures(layer: Layer | None, name: str | None, times: dict[str, list[float]], peaks: Peaks) -> LayerFigures:
    ms = None if name is None else median(times[name])
    if layer is None:
        return LayerFigures(None, "", name, 0, 0, ms, 0.0, "bytes")
    bound, limit = peaks.bound_ms(layer.macs, layer.bytes, "int8" if layer.int8 else "fp32")
    return LayerFigures(
        layer.name, layer.kind, name, layer.macs, layer.bytes, ms, 0.0 if name is None else bound, limit
    )
