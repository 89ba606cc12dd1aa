"""XNNPACK's share of a graph, cut so that no two pieces wait for each other.

ExecuTorch merges what XNNPACK takes pair by pair, and asks of each pair alone whether something outside lies between
them. Where int8 and float layers alternate in branches (squeeze-excitations that accuracy control gave back to float),
two merged pieces may each need the other's output: "Invalid partition, found dependency cycles". Graphs that
ExecuTorch cuts well keep its cut, and their bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from torch.fx.passes.infra.partitioner import Partition


class AcyclicXnnpackPartitioner(XnnpackPartitioner):
    """ExecuTorch's partitioner for XNNPACK; where its pieces wait for each other, they are cut again by depth."""

    def generate_partitions(self, ep: torch.export.ExportedProgram) -> list[Partition]:
        partitions = super().generate_partitions(ep)
        nodes = list(ep.graph_module.graph.nodes)
        if not wait_for_each_other([list(partition.nodes) for partition in partitions], nodes):
            return partitions
        pieces = cut_by_depth(self.get_matched_nodes_from_configs(ep), nodes)
        return [Partition(id=number, nodes=piece) for number, piece in enumerate(pieces)]


def wait_for_each_other(pieces: Sequence[Sequence[torch.fx.Node]], nodes: Sequence[torch.fx.Node]) -> bool:
    """Whether there is no order in which the pieces and the ``nodes`` outside them can run, each piece at once."""
    piece_of = {node: number for number, piece in enumerate(pieces) for node in piece}
    unit_of = {node: piece_of.get(node, node) for node in nodes}
    needs = {unit: set() for unit in unit_of.values()}
    for node in nodes:
        needs[unit_of[node]] |= {unit_of[source] for source in _computed(node)} - {unit_of[node]}
    done: set[object] = set()
    while ready := [unit for unit, needed in needs.items() if unit not in done and needed <= done]:
        done.update(ready)
    return len(done) < len(needs)


def cut_by_depth(
    groups: Sequence[Sequence[torch.fx.Node]], nodes: Sequence[torch.fx.Node]
) -> list[list[torch.fx.Node]]:
    """Pieces made of whole groups, so that each depends on pieces before it alone.

    A node's depth counts the changes between what is in a group and what is outside on the longest way to it, so
    nodes in groups have even depths and others odd ones; a group is as deep as its deepest node. A piece is what has
    one depth: all that it reads is less deep.

    Args:
        groups: what has to stay together; no node is in two.
        nodes: all of the graph's, in an order in which they can run.

    Raises:
        ValueError: a group waits for itself, by way of what is outside.
    """
    group_of = {node: number for number, group in enumerate(groups) for node in group}
    depth_of_group = [0] * len(groups)
    depth: dict[torch.fx.Node, int] = {}
    settled = False
    while not settled:
        settled = True
        for node in nodes:
            reached = max((depth[source] for source in _computed(node)), default=0)
            if (number := group_of.get(node)) is None:
                depth[node] = reached + (reached % 2 == 0)
                continue
            depth[node] = max(reached + reached % 2, depth_of_group[number])
            if depth[node] > 2 * len(nodes):
                raise ValueError(f"XNNPACK's pattern around {node.name} waits for an operator that waits for it")
            if depth[node] > depth_of_group[number]:
                depth_of_group[number], settled = depth[node], False
    pieces: dict[int, list[torch.fx.Node]] = {}
    for node in nodes:
        if node in group_of:
            pieces.setdefault(depth_of_group[group_of[node]], []).append(node)
    return [pieces[level] for level in sorted(pieces)]


def _computed(node: torch.fx.Node) -> list[torch.fx.Node]:
    """The inputs that wait for something: constants and the photo are there from the start."""
    return [source for source in node.all_input_nodes if source.op == "call_function"]
