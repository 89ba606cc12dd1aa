"""How well does every artifact agree with the graph that it came from, on photos of your own?

    python -m mobile_export agreement --images PHOTOS

The ladder judges 24 golden photos at every build; this measures the same pairs once, on as many photos as there are.
Packages are interpreted with float16 rounding, as phones compute; "in float32" shows the conversion alone.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pocketiqa.bundle import Bundle
from pocketiqa.decision_flips import decision_flips
from pocketiqa.errors import RuntimeUnavailable
from pocketiqa.gate import SCORE, Gate
from pocketiqa.parity import compare
from pocketiqa.preprocess import preprocess
from tabulate import tabulate
from tqdm import tqdm

from distill.networks.registry import DEFAULT_NETWORK, load_network
from mobile_export.artifacts import ARTIFACTS
from mobile_export.graphs import FLOAT, INT8, eager
from mobile_export.lower.request import Run
from mobile_export.sources import Sources, default_bundle
from quantize.delegation import export_network

_ENDINGS = {".jpg", ".jpeg", ".png"}


@dataclass(frozen=True)
class Config:
    """What is measured, and on what.

    Attributes:
        images: a folder of photos, descended into.
        network, weights, int8: what the bundle was built from; see ``python -m mobile_export --help``.
        bundle: as ``python -m mobile_export`` wrote it; by default where it writes that network's.
        limit: photos at most, spread evenly over the sorted names.
    """

    images: Path
    network: str = DEFAULT_NETWORK
    weights: Path | None = None
    int8: Path | None = None
    bundle: Path | None = None
    limit: int = 120


def run(config: Config) -> int:
    """Measure and print."""
    print(agreement_table(config))
    return 0


def agreement_table(config: Config) -> str:
    """The pairs' figures as text.

    Raises:
        FileNotFoundError: no photos or no weights there.
        BundleError: no bundle, or a file that is not what its manifest says.
    """
    photos = sorted(path for path in config.images.rglob("*") if path.suffix.lower() in _ENDINGS)
    if not photos:
        raise FileNotFoundError(f"{config.images} holds no photos ({', '.join(sorted(_ENDINGS))})")
    photos = [photos[round(i)] for i in np.linspace(0, len(photos) - 1, min(config.limit, len(photos)))]
    network = load_network(config.network, config.weights)
    bundle = Bundle.open(config.bundle or default_bundle(network.name))
    runs, pairs, few = _runs(config, bundle)
    seen = {name: _spread(len(photos), few.get(name, len(photos))) for name in runs}
    outputs: dict[str, list[np.ndarray]] = {name: [] for name in runs}
    for number, photo in enumerate(tqdm(photos, unit="photo", disable=None)):
        views = preprocess(photo, network.input)
        for name in (name for name in runs if number in seen[name]):
            outputs[name].append(np.asarray(runs[name](views), dtype=np.float64).ravel())
    values = {name: np.array(rows) for name, rows in outputs.items()}
    deviation = float(np.std(values[FLOAT][:, 0]))
    rows = []
    for reference, candidate in pairs:
        report = compare(values[reference][seen[candidate], 0], values[candidate][:, 0])
        whole = candidate not in few
        ranked = f"{report.srcc:.5f}" if whole else ""  # of three photos it says nothing
        figures = (ranked, f"{report.mean_abs:.2e}", f"{report.max_abs:.2e}")
        shown = candidate if whole else f"{candidate} (n = {len(seen[candidate])})"
        rows.append((reference, shown, *figures, f"{report.mean_abs / deviation:.2%}"))
    headers = ("reference", "candidate", "SRCC", "mean |Δ|", "max |Δ|", "mean / deviation")
    title = f"n = {len(photos)} photos; the float scores' standard deviation is {deviation:.4f}"
    table = tabulate(rows, headers, disable_numparse=True, colalign=("left", "left", *["right"] * 4))
    return "\n".join([title, table, *_decisions(bundle, network.attributes, values, pairs, list(map(str, photos)))])


def _decisions(
    bundle: Bundle,
    attributes: Sequence[str],
    values: dict[str, np.ndarray],
    pairs: list[tuple[str, str]],
    names: list[str],
) -> list[str]:
    """Of each int8 against float, how many photos the bundle's gate decides otherwise; none without a gate."""
    if not bundle.manifest.gate:
        return []
    gate, lines = Gate.of(bundle), []
    int8 = {one.step for one in ARTIFACTS.values() if not one.is_float and one.photos is None} | {INT8}
    for reference, candidate in pairs:
        if reference == FLOAT and candidate in int8:
            flips = decision_flips(gate, (SCORE, *attributes), values[reference], values[candidate], names)
            lines.append(f"{reference} ↔ {candidate}: {flips}")
    return lines


def _spread(photos: int, wanted: int) -> list[int]:
    """Which photos a slow runtime is given."""
    return sorted({round(i) for i in np.linspace(0, photos - 1, min(wanted, photos))})


def _runs(config: Config, bundle: Bundle) -> tuple[dict[str, Run], list[tuple[str, str]], dict[str, int]]:
    """How each step is run; which are compared: each artifact with its own graph, then every int8 with float; and how
    many photos those are given whose runtime is slow."""
    there = [artifact for artifact in ARTIFACTS.values() if artifact.open and bundle.has(artifact.name)]
    with_int8 = any(not artifact.is_float for artifact in there)
    sources = Sources.of(config.network, config.weights, config.int8, with_int8)
    graphs = sources.graphs(export_network(sources.network))
    runs: dict[str, Run] = {FLOAT: eager(sources.network)}
    if graphs.int8:
        runs[INT8] = eager(graphs.int8.converted.module())
    pairs, against_float, few = [], [(FLOAT, INT8)] if graphs.int8 else [], {}
    for artifact in there:
        path = bundle.artifact(artifact.name)
        ways = {artifact.step: artifact.open}
        ways |= {f"{artifact.name} {how}": opened for how, opened in artifact.open_otherwise}
        for step, opened in ways.items():
            try:
                runs[step] = opened(path)
            except RuntimeUnavailable as error:
                print(f"{step} is left out: {error}", file=sys.stderr)
                continue
            pairs.append((FLOAT if artifact.is_float else INT8, step))
            if artifact.photos is not None:
                few[step] = artifact.photos
        if not artifact.is_float and artifact.step in runs:
            against_float.append((FLOAT, artifact.step))
    return runs, pairs + against_float, few
