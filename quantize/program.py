"""Graphs as XNNPACK programs: many times faster than a fake-quantized graph, and what a phone runs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.devtools.backend_debug import get_delegation_info
from executorch.exir import to_edge_transform_and_lower
from pocketiqa.runtime import Program, load_program
from tqdm import tqdm

from distill.networks.student import INPUT_SPEC
from quantize.calibration import Inputs


@dataclass(frozen=True)
class Lowered:
    """A running program, its size, and in how many pieces XNNPACK took it."""

    program: Program
    buffer: bytes
    subgraphs: int

    def run(self, inputs: Inputs, title: str) -> list[np.ndarray]:
        """Every output over all inputs, each n×(its shape)."""
        rows = [self.program.run(views.numpy()) for views in tqdm(inputs, desc=title, mininterval=5)]
        return [np.stack(column) for column in zip(*rows)]

    def quality(self, inputs: Inputs, title: str) -> np.ndarray:
        """Float64 n×7 outputs in [0, 1]; the score is the first column."""
        return self.run(inputs, title)[0][:, 0].astype(np.float64)


def lower(exported: torch.export.ExportedProgram) -> Lowered:
    """Lower a float or a converted graph. The same graph gives the same bytes."""
    edge = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
    subgraphs = get_delegation_info(edge.exported_program().graph_module).num_delegated_subgraphs
    buffer = edge.to_executorch().buffer
    return Lowered(load_program(buffer), buffer, subgraphs)


@torch.no_grad()
def lower_float(student: torch.nn.Module) -> Lowered:
    """The float student as a program."""
    return lower(torch.export.export(student.eval(), (torch.rand(INPUT_SPEC.shape),)))


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
