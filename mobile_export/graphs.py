"""Every graph between the float network and its artifacts, and the parity checks from one to the next."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pocketiqa.promises import Promise

from distill.contract import QualityNetwork
from mobile_export.lower.portable_heads import with_portable_heads
from mobile_export.lower.request import Run
from mobile_export.verify.bounds import SAME_GRAPH, Promised
from mobile_export.verify.ladder import ParityLadder
from quantize.prepare import Prepared, convert, prepare, without_fake_quant
from quantize.state import load_prepared

# Steps of the ladder; what artifacts are made from is named by the first, the fourth and the fifth.
FLOAT = "eager float"
UNROUNDED = "prepared, no rounding"
PREPARED = "prepared"
INT8 = "converted int8"
PORTABLE = "portable heads"


@dataclass(frozen=True)
class Int8Graphs:
    """The int8 graph of a network.

    Attributes:
        prepared: its fake-quantized form.
        converted: its int8 form.
        portable: the same with heads that give equal bits on every processor; None for a network that names no heads.
    """

    prepared: Prepared
    converted: torch.export.ExportedProgram
    portable: torch.export.ExportedProgram | None


@dataclass(frozen=True)
class Graphs:
    """What artifacts are lowered from."""

    network: QualityNetwork
    exported: torch.export.ExportedProgram
    int8: Int8Graphs | None

    def of(self, name: str) -> tuple[str, torch.export.ExportedProgram]:
        """Step and graph of what an artifact is made from: ``FLOAT``, ``INT8`` or ``PORTABLE``.

        A network without portable heads gives the converted graph for ``PORTABLE``.
        """
        if name == FLOAT:
            return FLOAT, self.exported
        if name == PORTABLE and self.int8.portable is not None:
            return PORTABLE, self.int8.portable
        return INT8, self.int8.converted


def int8_graphs(network: QualityNetwork, int8: Path, weights_sha256: str) -> Int8Graphs:
    """The graphs of the int8 state at ``int8``; raises as ``load_prepared`` does."""
    prepared = load_prepared(network, int8, weights_sha256)
    return Int8Graphs(prepared, convert(prepared), with_portable_heads(prepared, network))


def check_graphs(graphs: Graphs, ladder: ParityLadder, promise: Promise) -> None:
    """Run every graph on the ladder's inputs, and compare each with the one before.

    Raises:
        BrokenParityCheck: the first that is not what the one before it is.
    """
    ladder.step(FLOAT, eager(graphs.network))
    if graphs.int8 is None:
        return
    # The network's own weights, before the trained state is loaded: a rewritten BatchNorm shows here.
    with without_fake_quant(prepare(graphs.network)) as unrounded:
        ladder.step(UNROUNDED, eager(unrounded))
    ladder.check(FLOAT, UNROUNDED, SAME_GRAPH)
    ladder.step(PREPARED, eager(graphs.int8.prepared))
    ladder.check(FLOAT, PREPARED, Promised(promise.on_golden_photos()))
    ladder.step(INT8, eager(graphs.int8.converted.module()))
    ladder.check(PREPARED, INT8, SAME_GRAPH)
    if graphs.int8.portable is not None:
        ladder.step(PORTABLE, eager(graphs.int8.portable.module()))
        ladder.check(INT8, PORTABLE, SAME_GRAPH)


def eager(network: torch.nn.Module) -> Run:
    """The quality vector that torch gives."""

    def run(views: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return network(torch.from_numpy(views))[0].numpy()

    return run
