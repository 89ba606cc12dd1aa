"""Accuracy control: the worst layers go back to float until int8 ranks photos as the float network does.

As ``quantize_with_accuracy_control`` in NNCF does it (Kozlov et al., "Neural Network Compression Framework for fast
model inference", 2020), which PT2E has nowhere. Layers are ranked once by the error that each makes alone; how many
of them have to go is found by doubling and halving, on photos that the trials did not learn from and that the figures
are not measured on. Where the figures then disagree, a quarter more layers go until they do not.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from quantize.figures import Figures, measure
from quantize.prepare import Prepared, convert
from quantize.program import Lowered, latency_ratio, lower
from quantize.ranking import ranked_layers
from quantize.recipe import Recipe, TuningPhotos, quantize
from quantize.subject import Subject

# Photos that rank the layers, and photos on which a number of float layers is tried.
_RANKING = 8
_TRIAL = 200


@dataclass(frozen=True)
class Outcome:
    """What control decided; ``prepared`` and ``figures`` are those of the last, smallest sufficient revert."""

    prepared: Prepared
    figures: Figures
    float_modules: frozenset[str]
    holds: bool
    lines: list[str]


def within_max_drop(
    subject: Subject, candidate: tuple[Prepared, Figures], recipe: Recipe, max_drop: float, mean_abs: float | None
) -> Outcome:
    """Revert as few of the worst layers as needed, and say what it costs.

    Both are held on the validation photos; the number of layers is found by the drop alone.

    Args:
        subject: float network and photos.
        candidate: the recipe's int8 network and its validation figures.
        recipe: how it was quantized; fine-tuning is left out where layers are reverted.
        max_drop: see :func:`drop`.
        mean_abs: the most that scores may move by on average; None for any.
    """

    def holds(figures: Figures) -> bool:
        return drop(figures) <= max_drop and (mean_abs is None or figures.mean_abs <= mean_abs)

    prepared, figures = candidate
    if holds(figures):
        return Outcome(prepared, figures, frozenset(), True, [_verdict(figures, max_drop, 0), "float layers: none"])
    plain = dataclasses.replace(recipe, fine_tuning=None)
    kept = recipe.float_modules or frozenset()
    rows = np.linspace(0, len(subject.photos.inputs) - 1, _RANKING).astype(int).tolist()
    layers = ranked_layers(subject.network, subject.photos, recipe, rows)
    learning, trial = trial_photos(subject.photos)

    def revert(count: int, photos: TuningPhotos) -> tuple[Prepared, Lowered, frozenset[str]]:
        modules = kept.union(*(layer.modules for layer in layers[:count]))
        own = dataclasses.replace(plain, float_modules=modules)
        reverted = quantize(subject.network, photos, own, f"{count} float layers")
        return reverted, lower(convert(reverted)), modules

    tried: dict[int, float] = {}

    def suffices(count: int) -> bool:
        scores = revert(count, learning)[1].quality(trial.inputs, f"{count} float layers: trial")[:, 0]
        tried[count] = measure(trial.targets[:, 0], scores).srcc
        tqdm.write(f"{count} float layers: SRCC to float {tried[count]:.4f}, {1 - max_drop:.4f} needed", sys.stderr)
        return 1 - tried[count] <= max_drop

    most = len(layers) - 1
    rounds = 2 * most.bit_length()
    tqdm.write(f"--max-drop {max_drop:g}: up to {rounds} rounds, each lowers the network twice", sys.stderr)
    count = fewest(suffices, most)
    reverted, lowered, modules = revert(count, subject.photos)
    figures = subject.judge(lowered, f"{count} float layers")
    while not holds(figures) and count < most:  # the validation photos disagree: a quarter more
        count = min(most, count + max(1, count // 4))
        reverted, lowered, modules = revert(count, subject.photos)
        figures = subject.judge(lowered, f"{count} float layers")
    int8 = lower(convert(prepared))
    ratio = latency_ratio(lowered, int8, subject.validation)
    return Outcome(
        reverted,
        figures,
        modules,
        holds(figures),
        [
            _verdict(figures, max_drop, count),
            f"tried (float layers: SRCC to float on {len(trial.inputs)} photos): "
            + ", ".join(f"{number}: {srcc:.4f}" for number, srcc in sorted(tried.items())),
            "float layers: " + ", ".join(layer.name for layer in layers[:count]),
            *([f"{count} of {len(layers)} layers are float: int8 saves little here"] if 2 * count > most else []),
            f"price: {len(int8.buffer) / 1e6:.2f} MB → {len(lowered.buffer) / 1e6:.2f} MB, {ratio:.2f} times as long "
            f"as int8 alone (runs in turns), {lowered.subgraphs} delegated subgraph(s)",
        ],
    )


def drop(figures: Figures) -> float:
    """What ``--max-drop`` bounds: 1 - SRCC to float or, with opinions, the loss in SRCC to them if that is more."""
    return max(1 - figures.srcc, figures.mos_drop or 0.0)


def trial_photos(photos: TuningPhotos) -> tuple[TuningPhotos, TuningPhotos]:
    """Photos to learn from and others to try on: heads are at their best on the photos that they were fitted to."""
    n = len(photos.inputs)
    tried = np.arange(n) % max(3, n // _TRIAL) == 0
    learning, trial = (
        TuningPhotos(photos.inputs.take(np.flatnonzero(rows).tolist()), photos.targets[rows], photos.calibration)
        for rows in (~tried, tried)
    )
    return learning, trial


def fewest(suffices: Callable[[int], bool], most: int) -> int:
    """The smallest count of 1 to ``most`` that suffices, found by doubling and halving; ``most`` if none less does."""
    high = 1
    while high < most and not suffices(high):
        high = min(2 * high, most)
    low = high // 2 + 1
    while low < high:
        middle = (low + high) // 2
        if suffices(middle):
            high = middle
        else:
            low = middle + 1
    return high


def _verdict(figures: Figures, max_drop: float, count: int) -> str:
    within = drop(figures) <= max_drop
    return (
        f"{'within' if within else 'NOT within'} --max-drop {max_drop:g} with {count} layers in float: SRCC to float "
        f"{figures.srcc:.4f}" + ("" if figures.mos_drop is None else f", SRCC to MOS falls by {figures.mos_drop:+.4f}")
    )
