"""Which layer broke? Artifacts against the graph that they came from, layer by layer, both tensors' ranges shown.

    python -m mobile_export diagnose --bundle dist/pocketiqa-lite0-0.1.0.broken

The prepared graph is compared with the float network as well: a rewritten BatchNorm shows at the first convolution.
``mobile_export.verify.diagnosis`` says how each artifact is looked into.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pocketiqa.preprocess import preprocess

from distill.networks.registry import DEFAULT_NETWORK, load_network
from mobile_export.artifacts import ARTIFACTS
from mobile_export.bundle.golden import golden_photos
from mobile_export.graphs import FLOAT, UNROUNDED
from mobile_export.sources import Sources, default_bundle
from mobile_export.verify.diagnosis import Diagnosis, diagnose_graphs
from quantize.delegation import export_network
from quantize.prepare import prepare, without_fake_quant

Diagnosable = Literal[tuple(name for name, artifact in ARTIFACTS.items() if artifact.diagnose)]


@dataclass(frozen=True)
class Config:
    """What is compared.

    Attributes:
        network, weights, int8: what the bundle was built from; see ``python -m mobile_export --help``.
        bundle: its folder; of an unfinished one as well. By default where the build writes that network's.
        artifact: one of them; all that are there by default.
        photo: shown to both; a golden photo by default.
    """

    network: str = DEFAULT_NETWORK
    weights: Path | None = None
    int8: Path | None = None
    bundle: Path | None = None
    artifact: Diagnosable | None = None
    photo: Path | None = None


def run(config: Config) -> int:
    """Compare, print, and return 1 where a layer is outside its bound."""
    found = diagnose(config)
    print("\n\n".join(map(str, found)))
    return 1 if any(one.first for one in found) else 0


def diagnose(config: Config) -> list[Diagnosis]:
    """Compare every artifact of a bundle, or one.

    Raises:
        FileNotFoundError: no weights, or no such artifact.
    """
    network = load_network(config.network, config.weights)
    bundle = config.bundle or default_bundle(network.name)
    wanted = [ARTIFACTS[config.artifact]] if config.artifact else [one for one in ARTIFACTS.values() if one.diagnose]
    there = [artifact for artifact in wanted if (bundle / artifact.path).exists()]
    if not there:
        looked_for = wanted[0].path if config.artifact else "artifact that can be diagnosed"
        raise FileNotFoundError(f"{bundle} has no {looked_for}; build it: python -m mobile_export")
    with_int8 = any(not artifact.is_float for artifact in there)
    sources = Sources.of(config.network, config.weights, config.int8, with_int8)
    views = preprocess(config.photo or golden_photos()[0], sources.network.input)
    graphs = sources.graphs(export_network(sources.network))
    found = []
    if graphs.int8:
        with without_fake_quant(prepare(sources.network)) as unrounded:
            what = f"{FLOAT} ↔ {UNROUNDED}: layers"
            found.append(diagnose_graphs(what, graphs.exported.module(), unrounded, views))
    for artifact in there:
        graph = graphs.exported if artifact.is_float else graphs.int8.converted
        found += artifact.diagnose(artifact.step, bundle / artifact.path, graph, views)
    return found
