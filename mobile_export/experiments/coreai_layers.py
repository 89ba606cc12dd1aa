"""Do Apple's runtime and our Core ML interpreter compute the same layers from the same numbers?

    python -m mobile_export.experiments.coreai_layers --bundle BUNDLE

Both graphs are converted for Core AI once more, with every layer as an output, and run in Apple's runtime. The bundle's
Core ML packages hold the same numbers and are interpreted in float32 on the same photo. Nothing is forced to a
reference: errors travel, and an int8 layer differs by what fell on rounding borders before it. Rows go to
``coreai_layers.csv``.
"""

from __future__ import annotations

import asyncio
import csv
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from pocketiqa.bundle import Bundle
from pocketiqa.preprocess import preprocess
from pocketiqa.standard_error import quiet_runtimes

from mobile_export.artifacts import COREML_FP16, COREML_W8A8
from mobile_export.bundle.golden import golden_photos
from mobile_export.graphs import FLOAT, INT8
from mobile_export.lower.coreai import convert
from mobile_export.lower.coreml import INPUT_NAME
from mobile_export.sources import Sources
from mobile_export.verify.diagnosis import tap_layers
from mobile_export.verify.layers import gap, mil_chains
from mobile_export.verify.mil_reference import MilProgram
from quantize.delegation import export_network

ROWS = Path(__file__).with_name("coreai_layers.csv")


@dataclass(frozen=True)
class Config:
    """Which bundle.

    Attributes:
        bundle: with Core ML's packages.
        network: that it was built from.
    """

    bundle: Path
    network: str = "lite0"


def main(config: Config) -> None:
    """Compare, print the largest gaps and write every row."""
    sources = Sources.of(config.network, None, None, True)
    graphs = sources.graphs(export_network(sources.network))
    views = preprocess(golden_photos()[0], sources.network.input)
    bundle, rows = Bundle.open(config.bundle), []
    for name, artifact in ((FLOAT, COREML_FP16), (INT8, COREML_W8A8)):
        if not bundle.has(artifact.name):
            continue
        graph, layers = tap_layers(graphs.of(name)[1])
        with torch.no_grad():
            expected = [value.numpy() for value in graph.module()(torch.from_numpy(views))]
        apple = run_in_apples_runtime(graph, views)
        ours = interpreted(MilProgram.read(bundle.artifact(artifact.name)), views)
        for layer, torchs, theirs, mine in zip(layers, expected, apple, ours, strict=True):
            pairs = {"apple_torch": (torchs, theirs), "ours_torch": (torchs, mine), "ours_apple": (theirs, mine)}
            rows.append({"graph": name, "layer": layer} | {k: f"{gap(layer, *v).error:.2e}" for k, v in pairs.items()})
    with ROWS.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print(*row.values(), sep="\t")


def run_in_apples_runtime(graph: torch.export.ExportedProgram, views: np.ndarray) -> list[np.ndarray]:
    """Every output of a graph."""
    from coreai.runtime import NDArray

    names = [f"layer_{number}" for number in range(len(graph.graph_signature.user_outputs))]

    async def run(path: Path) -> list[np.ndarray]:
        asset = convert(graph, names).save_asset(path)
        async with asset.executable() as model:
            outputs = await model.load_function("main")({INPUT_NAME: NDArray(views)})
            return [outputs[name].numpy().copy() for name in names]

    with tempfile.TemporaryDirectory() as folder, quiet_runtimes():
        return asyncio.run(run(Path(folder) / "tapped.aimodel"))


def interpreted(program: MilProgram, views: np.ndarray) -> list[np.ndarray]:
    """Every layer of a package, rounded to int8 and back where it is."""
    readers: dict[str, list[str]] = {}
    for operation in program.operations:
        for name in operation.reads:
            readers.setdefault(name, []).append(operation.name)
    ends = []
    for chain in mil_chains(program):
        end = chain[-1]
        while follower := next(
            (n for n in readers.get(end, []) if program.operators[n] in ("quantize", "dequantize")), ""
        ):
            end = follower
        if end not in ends:
            ends.append(end)
    values = {name: value for name, value in program.trace({INPUT_NAME: views}, "float32") if name in ends}
    return [values[end] for end in ends]


if __name__ == "__main__":
    main(tyro.cli(Config))
