"""Layer by layer: where does an artifact first differ from the graph that it came from?

A layer is a convolution or linear product with the BatchNorm and the clamp behind it, before any rounding to int8.
Backends reorder, rescale and rename everything else, but the layers come in one order everywhere, so they can be laid
side by side. Two comparisons are made:

- **weights**, element by element, BatchNorm folded in: nothing runs, and one weight that is off by 1 % shows;
- **outputs**, each layer of the artifact computed on the *reference's* own input where the artifact allows it, so
  that an error shows where it was made and does not travel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from mobile_export.verify.mil_reference import MilProgram
from quantize.graph import module_of

_PRODUCTS = {torch.ops.aten.conv2d.default, torch.ops.aten.convolution.default, torch.ops.aten.linear.default}
_NORMALIZATION = torch.ops.aten.batch_norm.default
_CHAINED = {"batch_norm", "hardtanh", "hardtanh_", "relu", "relu_", "relu6", "relu6_", "clamp"}
_MIL_PRODUCTS = {"conv", "linear"}
_MIL_CHAINED = {"batch_norm", "clip", "relu", "relu6"}
# Weights below this share of their tensor's largest are compared with that share: float16 holds them coarsely.
_SMALL = 1e-3
# Half the distance of float16's smallest numbers.
_HALF_SUBNORMAL = 2.0**-25
# A head's few outputs may cancel to nothing, and then any error is large beside them; the outputs' check judges those.
_FEWEST_VALUES = 64


class LayerMismatch(ValueError):
    """Two programs cannot be laid side by side: they have different numbers or shapes of layers."""


@dataclass(frozen=True)
class GraphLayer:
    """One layer of a torch graph.

    Attributes:
        name: dotted name of the module that the product came from, or the graph's own name of it.
        weight: float64, BatchNorm folded in, int8 weights dequantized.
        output: float32, before it is rounded to int8.
    """

    name: str
    weight: np.ndarray
    output: np.ndarray


@dataclass(frozen=True)
class Gap:
    """How far a layer is from its reference: root mean square of the difference over that of the reference (of
    weights: the largest relative difference), and both tensors' ranges."""

    name: str
    error: float
    reference_range: tuple[float, float]
    candidate_range: tuple[float, float]

    def __str__(self) -> str:
        (low, high), (lowest, highest) = self.reference_range, self.candidate_range
        return f"{self.name:<34}{self.error:9.2e}  [{low:.4g}, {high:.4g}] → [{lowest:.4g}, {highest:.4g}]"


class _Recorder(torch.fx.Interpreter):
    """Runs a graph and keeps the values of some nodes; in-place operators may change them later, so copies."""

    def __init__(self, graph: torch.fx.GraphModule, keep: set[torch.fx.Node]) -> None:
        super().__init__(graph)
        self.keep = keep
        self.values: dict[torch.fx.Node, np.ndarray] = {}
        self.arguments: dict[torch.fx.Node, tuple[Any, ...]] = {}

    def run_node(self, n: torch.fx.Node) -> Any:
        if n.target in _PRODUCTS or n.target is _NORMALIZATION:
            self.arguments[n], _ = self.fetch_args_kwargs_from_env(n)
        value = super().run_node(n)
        if n in self.keep:
            self.values[n] = value.detach().numpy().copy()
        return value


def torch_layers(graph: torch.fx.GraphModule, views: np.ndarray) -> list[GraphLayer]:
    """The layers of an exported, a prepared or a converted graph, on one input."""
    chains = torch_chains(graph)
    recorder = _Recorder(graph, {chain[-1] for chain in chains})
    with torch.no_grad():
        recorder.run(torch.from_numpy(views))
    layers = []
    for chain in chains:
        weight = recorder.arguments[chain[0]][1].detach().double()
        if len(chain) > 1 and chain[1].target is _NORMALIZATION:
            _, gamma, _, _, variance, _, _, epsilon, *_ = recorder.arguments[chain[1]]
            factor = gamma.detach().double() / torch.sqrt(variance.double() + epsilon)
            weight = weight * factor.reshape(-1, *[1] * (weight.ndim - 1))
        layers.append(GraphLayer(layer_name(chain[0]), weight.numpy(), recorder.values[chain[-1]]))
    return layers


def torch_chains(graph: torch.fx.GraphModule) -> list[list[torch.fx.Node]]:
    """The nodes of every layer, from the product to the last one fused behind it, in order of execution."""
    chains = []
    for node in graph.graph.nodes:
        if node.target not in _PRODUCTS:
            continue
        chain = [node]
        while follower := next((user for user in chain[-1].users if _is_chained(user)), None):
            chain.append(follower)
        chains.append(chain)
    return chains


def mil_chains(program: MilProgram) -> list[list[str]]:
    """As :func:`torch_chains`, of a MIL program: names of the outputs."""
    readers: dict[str, list[str]] = {}
    for operation in program.operations:
        for name in operation.reads:
            readers.setdefault(name, []).append(operation.name)
    chains = []
    for operation in program.operations:
        if operation.operator not in _MIL_PRODUCTS:
            continue
        chain = [operation.name]
        while follower := next((n for n in readers.get(chain[-1], []) if program.operators[n] in _MIL_CHAINED), None):
            chain.append(follower)
        chains.append(chain)
    return chains


def weight_gaps(program: MilProgram, reference: list[GraphLayer]) -> list[Gap]:
    """Largest relative difference of each layer's weights, package against graph.

    Raises:
        LayerMismatch: other layers than the reference's.
    """
    chains = _matched(mil_chains(program), reference)
    operations = {operation.name: operation for operation in program.operations}
    gaps = []
    for chain, layer in zip(chains, reference):
        weight = program.constant(operations[chain[0]], "weight")
        if weight.shape != layer.weight.shape:
            raise LayerMismatch(f"{layer.name} has weights of shape {weight.shape}, its graph {layer.weight.shape}")
        gaps.append(Gap(layer.name, weight_error(layer.weight, weight), _range(layer.weight), _range(weight)))
    return gaps


def weight_error(reference: np.ndarray, candidate: np.ndarray) -> float:
    """The largest relative difference of two tensors of one shape; 0 where both hold nothing but zeros.

    What float16 loses of a value by being too coarse for it is not counted.
    """
    scale = np.abs(reference) + _SMALL * np.abs(reference).max() + np.finfo(np.float32).tiny
    return float((np.maximum(np.abs(candidate - reference) - _HALF_SUBNORMAL, 0) / scale).max())


def output_gaps(program: MilProgram, reference: list[GraphLayer], views: np.ndarray, precision: str) -> Iterator[Gap]:
    """Each layer of a package but the last few values, computed on the reference's outputs of the layers before it.

    Raises:
        LayerMismatch: other layers than the reference's.
    """
    ends = [chain[-1] for chain in _matched(mil_chains(program), reference)]
    expected = {end: layer for end, layer in zip(ends, reference)}
    forced = {end: layer.output for end, layer in expected.items()}
    for name, output in program.trace({"photo": views}, precision, replace=forced):
        if name in expected and output.size >= _FEWEST_VALUES:
            yield gap(expected[name].name, expected[name].output, output)


def gap(name: str, reference: np.ndarray, candidate: np.ndarray) -> Gap:
    """Compare two outputs of one layer."""
    if reference.shape != candidate.shape:
        raise LayerMismatch(f"{name} gives {candidate.shape}, its reference {reference.shape}")
    size = np.sqrt(np.mean(reference.astype(np.float64) ** 2)) + 1e-12
    error = np.sqrt(np.mean((candidate.astype(np.float64) - reference) ** 2)) / size
    return Gap(name, float(error) if np.isfinite(error) else float("inf"), _range(reference), _range(candidate))


def first_outside(gaps: list[Gap], bound: float) -> Gap | None:
    """The first layer whose error is over ``bound``."""
    return next((found for found in gaps if found.error > bound), None)


def _matched(chains: list[list[str]], reference: list[GraphLayer]) -> list[list[str]]:
    if len(chains) != len(reference):
        raise LayerMismatch(f"the program has {len(chains)} convolutions and linear layers, its graph {len(reference)}")
    return chains


def _is_chained(node: torch.fx.Node) -> bool:
    return node.op == "call_function" and node.target.__name__.split(".")[0] in _CHAINED


def layer_name(product: torch.fx.Node) -> str:
    """Dotted name of the module that a convolution or linear product came from, or the graph's own name of it."""
    return module_of(product) or product.name


def _range(values: np.ndarray) -> tuple[float, float]:
    return float(values.min()), float(values.max())

