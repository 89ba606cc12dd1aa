"""XNNPACK's pieces of a graph can run one after another, even where ExecuTorch's own would wait for each other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower
from pocketiqa.runtime import load_program
from torch import nn
from torch.fx.passes.infra.partitioner import Partition

from quantize.partition import AcyclicXnnpackPartitioner, cut_by_depth, wait_for_each_other


class TwoBranches(nn.Module):
    """Two convolutions, each followed by an operator that XNNPACK does not take, and a product of both sides."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = (nn.Conv2d(3, 4, 3, padding=1) for _ in range(2))
        self.third, self.fourth = (nn.Conv2d(4, 4, 1) for _ in range(2))

    def forward(self, photo: torch.Tensor) -> torch.Tensor:
        one = torch.erf(self.first(photo))
        two = torch.erf(self.second(photo))
        return self.third(one) * self.fourth(two)


PHOTO = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def named() -> tuple[dict[str, torch.fx.Node], list[torch.fx.Node]]:
    """Nodes of ``b1(a1), a2(b2), x(a1), b3(x)``: ``a`` and ``b`` need each other, and ``b3`` needs what is outside."""
    graph = torch.fx.Graph()
    photo = graph.placeholder("photo")
    reads = {"a1": photo, "b1": "a1", "b2": photo, "a2": "b2", "x": "a1", "b3": "x"}
    nodes: dict[str, torch.fx.Node] = {}
    for name, source in reads.items():
        nodes[name] = graph.call_function(torch.relu, (nodes.get(source, photo),))
    return nodes, list(graph.nodes)


def test_pieces_that_need_each_other_are_found() -> None:
    nodes, order = named()
    a, b = [nodes["a1"], nodes["a2"]], [nodes["b1"], nodes["b2"]]
    assert wait_for_each_other([a, b], order)
    assert not wait_for_each_other([a, [nodes["b1"]], [nodes["b2"]]], order)
    # One piece on both sides of what it leaves outside waits for itself.
    assert wait_for_each_other([[nodes["a1"], nodes["b3"]]], order)


def test_a_cut_by_depth_keeps_groups_whole_and_waits_for_nothing_behind_it() -> None:
    nodes, order = named()
    groups = [[nodes["a1"], nodes["b1"]], [nodes["b2"]], [nodes["a2"]], [nodes["b3"]]]
    pieces = cut_by_depth(groups, order)
    assert not wait_for_each_other(pieces, order)
    assert sorted(node.name for piece in pieces for node in piece) == sorted(n.name for g in groups for n in g)
    assert [set(group) <= set(piece) for group in groups for piece in pieces].count(True) == len(groups)
    # All that waits for nothing outside is one piece; what lies behind x is another.
    assert [len(piece) for piece in pieces] == [4, 1]


def test_a_group_that_waits_for_itself_is_refused() -> None:
    nodes, order = named()
    with pytest.raises(ValueError, match="waits for an operator"):
        cut_by_depth([[nodes["a1"], nodes["b3"]]], order)


def test_a_graph_that_executorch_cuts_well_keeps_its_bytes() -> None:
    exported = torch.export.export(TwoBranches().eval(), (PHOTO,))
    theirs, ours = (
        to_edge_transform_and_lower(exported, partitioner=[partitioner()]).to_executorch().buffer
        for partitioner in (XnnpackPartitioner, AcyclicXnnpackPartitioner)
    )
    assert theirs == ours


def test_a_graph_that_executorch_cuts_in_circles_gives_a_program_with_the_networks_scores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def crossed(self: XnnpackPartitioner, ep: torch.export.ExportedProgram) -> list[Partition]:
        """The first branch's start with the second's end, and the other way round."""
        convolutions = [node for node in ep.graph.nodes if "convolution" in str(node.target)]
        first, second, third, fourth = convolutions
        return [Partition(id=0, nodes=[first, fourth]), Partition(id=1, nodes=[second, third])]

    network = TwoBranches().eval()
    exported = torch.export.export(network, (PHOTO,))
    monkeypatch.setattr(XnnpackPartitioner, "generate_partitions", crossed)
    with pytest.raises(Exception, match="dependency cycles"):
        to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
    edge = to_edge_transform_and_lower(exported, partitioner=[AcyclicXnnpackPartitioner()])
    program = load_program(edge.to_executorch().buffer, prefer="executorch")
    with torch.no_grad():
        np.testing.assert_allclose(program.run(PHOTO.numpy())[0], network(PHOTO).numpy(), atol=1e-5)
