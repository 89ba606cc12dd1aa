"""Export a network for phones: lower it for every runtime, verify each artifact on the golden photos, write a bundle.

The steps stand in the order of the parity ladder, and the first check that does not hold ends the build: the old bundle
stays, and what was built stands beside it in ``….broken``, to be diagnosed. Exit status: 0 all well; 1 a check is
broken; 2 a mistake in how it was called. Further commands: diagnose, agreement, embed, gallery, golden, integration.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
import tyro
from pocketiqa.files import atomic_directory
from pocketiqa.preprocess import preprocess
from tqdm import tqdm

from distill.networks.registry import DEFAULT_NETWORK
from mobile_export.artifacts import ARTIFACTS, FP32, OPTIONAL, XNNPACK_INT8, Artifact, chosen
from mobile_export.bundle.golden import SHOWN_TENSORS, WALL, golden_photos
from mobile_export.bundle.report import draw_report
from mobile_export.bundle.writer import BundleWriter
from mobile_export.graphs import FLOAT, INT8, PREPARED, Graphs, check_graphs
from mobile_export.lower.request import NotBuilt, Request
from mobile_export.operators import check_operators
from mobile_export.sources import Sources, default_bundle
from mobile_export.verify.bounds import Scales
from mobile_export.verify.ladder import BrokenParityCheck, ParityCheck, ParityLadder
from mobile_export.verify.rounding import Rounding
from mobile_export.verify.tables import summary, table
from quantize.delegation import export_network

REPORT = "report"
Skippable = Literal[(*ARTIFACTS, REPORT)]
Further = Literal[OPTIONAL]
NOISE_INPUTS = 4
NO_DEVICE = "No device took part: `python -m benchmarks latency --device …` scores the golden photos there first."


@dataclass(frozen=True)
class Config:
    """What is exported, and where to.

    Attributes:
        network: a registered name, or FILE.py:FUNCTION of your own, whose function takes nothing and returns the
            network.
        weights: safetensors of the network's state_dict; by default what this repository ships for that name.
        int8: the network's int8 state, from ``python -m quantize``; by default what this repository ships.
        out: the bundle's folder; by default dist/pocketiqa-NAME-VERSION.
        skip: what to leave out; the bundle says so.
        also: what to build beside the default artifacts: names, or all of a runtime.
        all: build every artifact.
        verbose: print every parity check, not one line an artifact.
        torch_free_python: a Python with ``executorch-numpy-runtime``; by default one is looked for.
    """

    network: str = DEFAULT_NETWORK
    weights: Path | None = None
    int8: Path | None = None
    out: Path | None = None
    skip: tuple[Skippable, ...] = ()
    also: Annotated[tuple[Further, ...], tyro.conf.arg(name="with")] = ()
    all: bool = False
    verbose: bool = False
    torch_free_python: Path | None = None


@dataclass(frozen=True)
class BuildResult:
    """The bundle's folder, the parity checks, and the bytes and delegated subgraphs (None where that is no word) of
    each artifact."""

    out: Path
    checks: list[ParityCheck]
    sizes: dict[str, tuple[int, int | None]]
    notes: list[str]


def run(config: Config) -> int:
    """Build and print; 1 where a check is broken."""
    try:
        result = build(config)
    except BrokenParityCheck as broken:
        print(f"\n{table(broken.checks)}\n", file=sys.stderr)
        raise
    if config.verbose:
        print(f"\n{table(result.checks)}")
    print(f"\n{summary(result.checks, result.sizes)}\n")
    for note in result.notes:
        print(f"note: {note}")
    print(f"\nevery parity check holds; the bundle is {result.out}")
    return 0


def broken_folder(out: Path) -> Path:
    """Where an unfinished bundle with a broken check is kept, to be looked at."""
    return out.with_name(f"{out.name}.broken")


def build(
    config: Config, photos: Sequence[Path] | None = None, noise_inputs: int = NOISE_INPUTS
) -> BuildResult:
    """Lower, convert, verify and write the bundle; an older one of that name is replaced at the end.

    Args:
        config: what, and where to.
        photos: the golden photos; those of this repository by default.
        noise_inputs: how many inputs of random noise are compared beside them.

    Raises:
        FileNotFoundError, ValueError: no network, no weights, or an int8 state that is not its own.
        ContractError: the network is none, or a backend does not take one of its operators.
        DelegationError: a graph was not taken whole by its backend.
        BrokenParityCheck: a check does not hold. ``out`` stays; what was built stands in ``broken_folder(out)``.
    """
    artifacts, notes = chosen(config.skip, OPTIONAL if config.all else config.also)
    with_int8 = any(not artifact.is_float for artifact in artifacts)
    sources = Sources.of(config.network, config.weights, config.int8, with_int8)
    out = config.out or default_bundle(sources.network.name)
    shutil.rmtree(broken_folder(out), ignore_errors=True)
    photos = golden_photos() if photos is None else list(photos)
    ladder = golden_ladder(sources, photos, noise_inputs)
    with tqdm(desc="export", bar_format="{desc:<28}{elapsed}") as bar, atomic_directory(out) as root:
        bundle = BundleWriter(root, sources, notes)
        try:
            graphs = _checked_graphs(sources, ladder, artifacts, bar.set_description)
            scales = measure_scales(sources, graphs, ladder)
            for artifact in artifacts:
                bar.set_description(artifact.name)
                _build_artifact(artifact, bundle, graphs, scales, ladder, config.torch_free_python)
            bundle.add_gate(ladder)
        except BrokenParityCheck as broken:
            if not bundle.variants:
                anew = "; quantize it anew, with more photos, --max-drop or --keep-float"
                advice = anew if broken.check.candidate == PREPARED else ""
                raise BrokenParityCheck(broken.checks, f"; nothing was built{advice}") from None
            kept = broken_folder(out)
            shutil.copytree(root, kept, dirs_exist_ok=True)
            raise BrokenParityCheck(
                broken.checks,
                f"; what was built is in {kept}; find the layer: python -m mobile_export diagnose --bundle {kept}",
            ) from None
        bar.set_description("report")
        bundle.notes.append(NO_DEVICE)
        bundle.add_golden(photos, ladder)
        bundle.add_inputs([WALL, *(photo for photo in photos if photo.name in SHOWN_TENSORS)])
        bundle.finish(ladder.checks, _report(bundle, ladder, photos, config.skip))
    return BuildResult(out, ladder.checks, bundle.sizes, bundle.notes)


def golden_ladder(sources: Sources, photos: Sequence[Path], noise_inputs: int) -> ParityLadder:
    """A ladder whose inputs are photos and independent uniform 8-bit noise, as a network's input spec has them."""
    spec = sources.network.input
    draws = [np.random.default_rng(seed).integers(0, 256, spec.shape) for seed in range(noise_inputs)]
    return ParityLadder(
        photos=[preprocess(path, spec) for path in photos],
        noise=[(levels / 255).astype(np.float32) for levels in draws],
        names=[path.name for path in photos],
    )


def measure_scales(sources: Sources, graphs: Graphs, ladder: ParityLadder) -> Scales:
    """What the bounds are measured in, once the ladder has the float network's outputs."""
    rounding = None
    if graphs.int8 is not None:
        rounding = Rounding.of(graphs.int8.converted.module(), ladder.photos, ladder.outputs[INT8])
    return Scales(float(np.std(ladder.outputs[FLOAT][:, 0])), rounding, sources.promise)


def _checked_graphs(
    sources: Sources, ladder: ParityLadder, artifacts: Sequence[Artifact], stage: Callable[[str], None]
) -> Graphs:
    stage("operators")
    exported = export_network(sources.network)
    check_operators(sources.network.name, exported, artifacts)
    stage("graphs")
    ladder.about = "graphs"
    graphs = sources.graphs(exported)
    check_graphs(graphs, ladder, sources.promise)
    return graphs


def _build_artifact(
    artifact: Artifact,
    bundle: BundleWriter,
    graphs: Graphs,
    scales: Scales,
    ladder: ParityLadder,
    torch_free_python: Path | None,
) -> None:
    ladder.about = artifact.name
    needed = {name: bundle.root / ARTIFACTS[name].path for name in artifact.needs}
    path = bundle.path(artifact.path)
    _, graph = graphs.of(artifact.graph)
    metadata = bundle.metadata(artifact.name, artifact.runtime)
    in_pieces = not bundle.sources.is_shipped
    try:
        with torch.no_grad():
            delegation = artifact.lower(Request(graph, metadata, path, ladder.photos, needed, in_pieces))
    except NotBuilt as why:
        bundle.notes.append(f"{artifact.name} was not built: {why}.")
        with suppress(OSError):  # another artifact's file is in it
            path.parent.rmdir()
        return
    bundle.add_artifact(artifact, delegation)
    if delegation and delegation.outside:
        bundle.notes.append(
            f"{artifact.name} is in {delegation.subgraphs} pieces: {artifact.runtime} does not take "
            f"{', '.join(delegation.outside)}; ExecuTorch's own kernels run them, which is right and slower."
        )
    artifact.check(
        artifact.subject(
            path, graphs, scales, ladder=ladder, notes=bundle.notes, torch_free_python=torch_free_python
        )
    )


def _report(
    bundle: BundleWriter, ladder: ParityLadder, photos: Sequence[Path], skip: Sequence[str]
) -> str | None:
    if REPORT in skip:
        bundle.notes.append(f"{REPORT} was left out on request (--skip).")
        return None
    if missing := [one.name for one in (FP32, XNNPACK_INT8) if one.name not in bundle.variants]:
        bundle.notes.append(f"{REPORT} was left out: it compares int8 with fp32, and needs {missing[0]}.")
        return None
    return draw_report(bundle, ladder, photos)
