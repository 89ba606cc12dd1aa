"""Graphs as XNNPACK programs: many times faster than a fake-quantized graph, and what a phone runs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from executorch.devtools.backend_debug import get_delegation_info
from executorch.exir import to_edge_transform_and_lower
from executorch.exir.dialects.edge._ops import EdgeOpOverload
from pocketiqa.runtime import Program, load_program
from tqdm import tqdm

from distill.contract import QualityNetwork
from quantize.calibration import Inputs
from quantize.partition import AcyclicXnnpackPartitioner


@dataclass(frozen=True)
class Lowered:
    """A running program and its bytes; in how many pieces XNNPACK took it, and how many operators it left ``outside``.
    """

    program: Program
    buffer: bytes
    subgraphs: int
    outside: dict[str, int]

    def run(self, inputs: Inputs, title: str) -> list[np.ndarray]:
        """Every output over all inputs, each n×(its shape)."""
        rows = [self.program.run(views.numpy()) for views in tqdm(inputs, desc=title, mininterval=5)]
        return [np.stack(column) for column in zip(*rows)]

    def quality(self, inputs: Inputs, title: str) -> np.ndarray:
        """Float64 n×(1 + attributes) in [0, 1]; the score is the first column."""
        return self.run(inputs, title)[0][:, 0].astype(np.float64)


def lower(exported: torch.export.ExportedProgram) -> Lowered:
    """Lower a float or a converted graph. The same graph gives the same bytes."""
    edge = to_edge_transform_and_lower(exported, partitioner=[AcyclicXnnpackPartitioner()])
    graph = edge.exported_program().graph_module
    outside = Counter(_name(node) for node in graph.graph.nodes if node.op == "call_function" and _computes(node))
    buffer = edge.to_executorch().buffer
    pieces = get_delegation_info(graph).num_delegated_subgraphs
    return Lowered(load_program(buffer), buffer, pieces, dict(sorted(outside.items())))


def _computes(node: torch.fx.Node) -> bool:
    """Not the delegate itself nor what fetches its outputs, nor the cast of a single number."""
    value = node.meta.get("val")
    return isinstance(node.target, EdgeOpOverload) and not (isinstance(value, torch.Tensor) and value.ndim == 0)


def _name(node: torch.fx.Node) -> str:
    return node.target._op._schema.name.rpartition("::")[2]


@torch.no_grad()
def lower_float(network: QualityNetwork) -> Lowered:
    """The float network as a program."""
    return lower(torch.export.export(network.eval(), (network.example(),)))


def latency_ratio(program: Lowered, reference: Lowered, inputs: Sequence[torch.Tensor], rounds: int = 15) -> float:
    """How many times as long ``program`` takes as ``reference``: the median over rounds that run both in turns."""
    views = inputs[0].numpy()
    ratios = []
    for turn in range(rounds + 2):
        seconds = {}
        for candidate in (program, reference) if turn % 2 else (reference, program):
            start = time.perf_counter()
            candidate.program.run(views)
            seconds[candidate is program] = time.perf_counter() - start
        ratios.append(seconds[True] / seconds[False])
    return float(np.median(ratios[2:]))  # the first two warm up
