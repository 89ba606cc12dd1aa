"""Reading an exported graph: which module a node came from, which nodes are the heads, what the input is."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

_ATEN = torch.ops.aten
CONVOLUTIONS = {_ATEN.conv1d.default, _ATEN.conv2d.default, _ATEN.conv2d.padding, _ATEN.convolution.default}
LINEAR = {_ATEN.linear.default}
CLAMPS = {
    _ATEN.relu.default,
    _ATEN.relu_.default,
    _ATEN.relu6.default,
    _ATEN.relu6_.default,
    _ATEN.hardtanh.default,
    _ATEN.hardtanh_.default,
}
PADS = {_ATEN.pad.default, _ATEN.constant_pad_nd.default}
# What averages, joins and reshapes, and computes nothing else.
POOLING = {
    _ATEN.adaptive_avg_pool2d.default,
    _ATEN.avg_pool2d.default,
    _ATEN.mean.dim,
    _ATEN.cat.default,
    _ATEN.dropout.default,
    _ATEN.flatten.using_ints,
    _ATEN.permute.default,
    _ATEN.reshape.default,
    _ATEN.select.int,
    _ATEN.slice.Tensor,
    _ATEN.squeeze.dim,
    _ATEN.squeeze.dims,
    _ATEN.transpose.int,
    _ATEN.unsqueeze.default,
    _ATEN.view.default,
}
# What gives a tensor another shape or place.
SHAPING = {
    _ATEN.alias.default,
    _ATEN.chunk.default,
    _ATEN.clone.default,
    _ATEN.contiguous.default,
    _ATEN.detach.default,
    _ATEN.expand.default,
    _ATEN.lift_fresh_copy.default,
    _ATEN.split.Tensor,
    _ATEN.split_with_sizes.default,
    _ATEN.to.dtype,
    _ATEN.unbind.int,
    _ATEN._assert_tensor_metadata.default,
}


def module_of(node: torch.fx.Node) -> str:
    """Dotted name of the network's innermost module that a graph node came from, or '' for the network itself."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    return stack[-1][0].partition("@")[0] if stack else ""  # @1 marks a module's second call


def is_below(name: str, layer: str) -> bool:
    """Whether a dotted module name is ``layer`` or lies below it."""
    return name == layer or name.startswith(f"{layer}.")


def with_all_below(network: nn.Module, layers: Iterable[str]) -> frozenset[str]:
    """Names of the modules in ``layers`` and of every module below them."""
    names = [name for name, _ in network.named_modules()]
    return frozenset(name for layer in layers for name in names if is_below(name, layer))


def head_nodes(graph: torch.fx.GraphModule, heads_name: str | None) -> list[torch.fx.Node]:
    """Convolutions and linear layers of the module ``heads_name``, in the order in which they run; none without one."""
    if heads_name is None:
        return []
    return [
        node
        for node in graph.graph.nodes
        if node.target in CONVOLUTIONS | LINEAR and is_below(module_of(node), heads_name)
    ]


def example_of(graph: torch.fx.GraphModule) -> torch.Tensor:
    """A random input in [0, 1], float32 of the shape that the graph was exported with."""
    views = next(node for node in graph.graph.nodes if node.op == "placeholder")
    return torch.rand(tuple(views.meta["val"].shape))


def outputs_of(graph: torch.fx.GraphModule) -> int:
    """How many outputs a graph has."""
    return len(next(node for node in graph.graph.nodes if node.op == "output").args[0])


def with_head_inputs(graph: torch.fx.GraphModule, heads_name: str | None) -> torch.fx.GraphModule:
    """The same graph with what each head reads as further outputs, sharing all tensors."""
    return with_values(graph, [node.args[0] for node in head_nodes(graph, heads_name)])


def with_values(graph: torch.fx.GraphModule, nodes: Iterable[torch.fx.Node]) -> torch.fx.GraphModule:
    """The same graph with the values of ``nodes`` as further outputs, sharing all tensors."""
    longer = torch.fx.Graph()
    copied: dict[torch.fx.Node, torch.fx.Node] = {}
    outputs = longer.graph_copy(graph.graph, copied)
    longer.output((*outputs, *(copied[node] for node in nodes)))
    watched = torch.fx.GraphModule(graph, longer)
    watched.meta.update(graph.meta)  # what tells the converter that this is a prepared graph
    return watched
