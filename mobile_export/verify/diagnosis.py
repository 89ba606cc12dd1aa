"""An artifact against the graph that it came from, layer by layer.

Core ML packages are read as they lie on disk: their weights first, then every layer on its reference's own input. A
``.pte`` gives nothing away between its two ends, so the same graph is lowered once more with every layer as an output;
there errors travel, and the first layer that leaves its bound is where to look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from executorch.exir import to_edge_transform_and_lower
from pocketiqa import promises
from pocketiqa.errors import PocketiqaError
from pocketiqa.runtime import load_program
from pocketiqa.standard_error import quiet_runtimes

from mobile_export.verify.layers import (
    Gap,
    first_outside,
    gap,
    layer_name,
    output_gaps,
    torch_chains,
    torch_layers,
    weight_gaps,
)
from mobile_export.verify.mil_reference import MilError, MilProgram
from mobile_export.verify.package_checks import layer_bound
from quantize.partition import AcyclicXnnpackPartitioner

_SHOWN = 3  # layers on either side of the first that is outside
# Float arithmetic in another order; and in int8 the flips at rounding borders of all layers before.
_TRAVELLED_FLOAT, _TRAVELLED_INT8 = 1e-3, 0.1
_ROUNDING = ("quantize_per_tensor", "dequantize_per_tensor")


@dataclass(frozen=True)
class Diagnosis:
    """One comparison, layer by layer.

    Attributes:
        what: the two sides in words.
        gaps: of every layer in order.
        bound: the most that a layer may differ by.
        problem: why nothing could be compared; '' otherwise.
    """

    what: str
    gaps: Sequence[Gap] = ()
    bound: float = 0.0
    problem: str = ""

    @property
    def first(self) -> Gap | str | None:
        """The first layer outside the bound, or the problem."""
        return self.problem or first_outside(list(self.gaps), self.bound)

    def __str__(self) -> str:
        if self.problem:
            return f"{self.what}: {self.problem}"
        if (first := self.first) is None:
            largest = max(self.gaps, key=lambda found: found.error)
            return f"{self.what}: all {len(self.gaps)} within {self.bound:g}; the largest is\n  {largest}"
        at = list(self.gaps).index(first)
        shown = self.gaps[max(0, at - _SHOWN) : at + _SHOWN + 1]
        rows = [f"{'>' if found is first else ' '} {found}" for found in shown]
        return "\n".join([f"{self.what}: the first of {len(self.gaps)} over {self.bound:g} is {first.name}", *rows])


def diagnose_graphs(
    what: str, reference: torch.fx.GraphModule, candidate: torch.fx.GraphModule, views: np.ndarray
) -> Diagnosis:
    """Two torch graphs of one network, layer by layer."""
    pairs = zip(torch_layers(reference, views), torch_layers(candidate, views), strict=True)
    return Diagnosis(what, [gap(one.name, one.output, other.output) for one, other in pairs], promises.SAME_GRAPH)


def diagnose_package(
    name: str, path: Path, graph: torch.export.ExportedProgram, views: np.ndarray
) -> list[Diagnosis]:
    """A Core ML package on disk: weights, then layers."""
    try:
        program = MilProgram.read(path)
        reference = torch_layers(graph.module(), views)
        weights = weight_gaps(program, reference)
        layers = list(output_gaps(program, reference, views, "float16"))
    except (MilError, ValueError) as error:
        return [Diagnosis(name, problem=str(error))]
    return [
        Diagnosis(f"{name}: weights", weights, promises.WEIGHTS),
        Diagnosis(f"{name}: layers", layers, layer_bound(program)),
    ]


def diagnose_program(
    name: str, path: Path, graph: torch.export.ExportedProgram, views: np.ndarray
) -> list[Diagnosis]:
    """What XNNPACK makes of a graph, seen at every layer; the file itself, which shows none, is not read."""
    tapped, names = tap_layers(graph)
    with torch.no_grad():
        expected = [value.numpy() for value in tapped.module()(torch.from_numpy(views))]
    lowered = to_edge_transform_and_lower(tapped, partitioner=[AcyclicXnnpackPartitioner()]).to_executorch().buffer
    try:
        with quiet_runtimes():
            found = load_program(bytes(lowered), prefer="executorch").run(views)
    except PocketiqaError as error:
        return [Diagnosis(f"{name}: layers", problem=str(error))]
    gaps = [gap(layer, *pair) for layer, *pair in zip(names, expected, found, strict=True)]
    is_int8 = any(_rounds(node) for node in graph.graph.nodes)
    bound = _TRAVELLED_INT8 if is_int8 else _TRAVELLED_FLOAT
    return [Diagnosis(f"{name}, lowered with every layer as an output", gaps, bound)]


def tap_layers(graph: torch.export.ExportedProgram) -> tuple[torch.export.ExportedProgram, list[str]]:
    """The graph with its layers' outputs, rounded where the graph rounds them, in place of its own."""
    module = graph.module()
    ends: dict[torch.fx.Node, str] = {}
    for chain in torch_chains(module):
        end = chain[-1]
        while follower := next((user for user in end.users if _rounds(user)), None):
            end = follower
        if end not in ends:  # two layers may end in one place
            ends[end] = layer_name(chain[0])
    for node in list(module.graph.nodes):
        if node.op == "call_module":  # torch.export's guard on the input's shape
            module.graph.erase_node(node)
        elif node.op == "output":
            with module.graph.inserting_before(node):
                # A dequantize of their own: XNNPACK's passes exchange one that a convolution reads for another without
                # a shape, which an output must have.
                node.args = (tuple(module.graph.node_copy(end) if _rounds(end) else end for end in ends),)
    module.graph.set_codegen(torch.fx.graph.CodeGen())
    module.graph.eliminate_dead_code()
    module.recompile()
    example = next(node.meta["val"] for node in module.graph.nodes if node.op == "placeholder")
    with torch.no_grad():
        exported = torch.export.export(module, (torch.rand(example.shape),))
    return exported, list(ends.values())


def _rounds(node: torch.fx.Node) -> bool:
    return node.op == "call_function" and node.target.__name__.split(".")[0] in _ROUNDING
