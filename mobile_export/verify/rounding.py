"""How far an int8 graph's outputs move when values on a rounding border fall to the other side.

Two implementations of one int8 graph differ by such falls and by nothing else. How far the outputs then move is a
property of the network: a few falls in an early layer may die away, or carry others over in each layer behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

# By name: torch registers these operators only when something quantizes.
_QUANTIZE = "quantize_per_tensor"
_DEQUANTIZE = "dequantize_per_tensor"
# Photos that the output step is averaged over; it varies little.
_PHOTOS_FOR_STEP = 4
# Float16 keeps eleven bits: what it computes for a value of 64 steps, the middle of int8's range, may be off by this.
_NUDGE = 64 / 2**11


@dataclass(frozen=True)
class Rounding:
    """The scales of one int8 graph; outputs are scores and attributes in [0, 1].

    Attributes:
        step: see :func:`output_step`.
        falls_max: see :func:`border_falls`; of any output of any photo.
        falls_mean: of the score, mean over photos.
    """

    step: float
    falls_max: float
    falls_mean: float

    @classmethod
    def of(
        cls, converted: torch.fx.GraphModule, inputs: Sequence[np.ndarray], outputs: np.ndarray
    ) -> Rounding:
        """Measured on ``inputs``, each float32 of the graph's input shape; ``outputs`` are the graph's for them,
        n×(1 + attributes).

        Raises:
            ValueError: nothing in the graph is rounded to int8.
        """
        return cls(output_step(converted, inputs), *border_falls(converted, inputs, outputs))


@torch.no_grad()
def border_falls(
    converted: torch.fx.GraphModule, inputs: Sequence[np.ndarray], outputs: np.ndarray
) -> tuple[float, float]:
    """How far outputs move, at most and the score on average, when each value is nudged before it is rounded.

    The nudges are even in ±3 % of the rounding's step, what a value of 64 steps loses in float16, and the same in
    every run.

    Args:
        converted: an int8 graph whose first output is ``quality``.
        inputs: float32 of the graph's input shape.
        outputs: what the graph gives for them without nudges, n×(1 + attributes).
    """
    nudged = [
        _Nudged(converted, number).run(torch.from_numpy(views))[0].numpy() for number, views in enumerate(inputs)
    ]
    gaps = np.abs(np.concatenate(nudged) - outputs)
    return float(gaps.max()), float(gaps[:, 0].mean())


def output_step(converted: torch.fx.GraphModule, inputs: Sequence[np.ndarray]) -> float:
    """How far an output moves when each channel mean behind the last int8 rounding is off by one step.

    The effects of the channels add up as independent errors do, by their squares; the derivative is taken at each
    of the first photos, and the largest of the outputs counts.

    Args:
        converted: an int8 graph whose first output is ``quality``.
        inputs: float32 of the graph's input shape.

    Raises:
        ValueError: nothing in the graph is rounded to int8.
    """
    last = _last_dequantized(converted)
    if not last:
        raise ValueError("this graph rounds nothing to int8: it has no output step")
    steps = []
    for views in inputs[:_PHOTOS_FOR_STEP]:
        offsets = _Offsets(converted, last)
        quality = offsets.run(torch.from_numpy(views))[0].flatten()
        zeros = list(offsets.zeros.values())
        # Some reach the map alone, and move no output.
        grad = partial(torch.autograd.grad, inputs=zeros, retain_graph=True, materialize_grads=True)
        rows = [grad(value) for value in quality]
        scales = [float(node.args[1]) for node in offsets.zeros]
        steps.append([sum(float((g * s).square().sum()) for g, s in zip(row, scales)) ** 0.5 for row in rows])
    return float(np.mean(steps, axis=0).max())


def _last_dequantized(graph: torch.fx.GraphModule) -> set[torch.fx.Node]:
    """Activations that are not rounded again on their way to the outputs."""
    rounded_later: set[torch.fx.Node] = set()
    for node in reversed(graph.graph.nodes):
        if any(user in rounded_later or _is(user, _QUANTIZE) for user in node.users):
            rounded_later.add(node)
    return {n for n in graph.graph.nodes if _is(n, _DEQUANTIZE) and n not in rounded_later}


def _is(node: torch.fx.Node, operator: str) -> bool:
    return node.op == "call_function" and node.target.__name__.split(".")[0] == operator


class _Offsets(torch.fx.Interpreter):
    """Runs a graph with a zero added to each channel of some nodes, to take derivatives by."""

    def __init__(self, graph: torch.fx.GraphModule, nodes: set[torch.fx.Node]) -> None:
        super().__init__(graph)
        self.nodes = nodes
        self.zeros: dict[torch.fx.Node, torch.Tensor] = {}

    def run_node(self, n: torch.fx.Node) -> object:
        value = super().run_node(n)
        if n in self.nodes:
            # Channels are the second axis of a picture, and the last of a row of tokens.
            shape = (*value.shape[:2], 1, 1) if value.ndim == 4 else (*[1] * (value.ndim - 1), value.shape[-1])
            self.zeros[n] = torch.zeros(shape, requires_grad=True)
            value = value.detach() + self.zeros[n]
        return value


class _Nudged(torch.fx.Interpreter):
    """Runs a graph with noise added to what is about to be rounded to int8."""

    def __init__(self, graph: torch.fx.GraphModule, seed: int) -> None:
        super().__init__(graph)
        self.noise = torch.Generator().manual_seed(seed)

    def run_node(self, n: torch.fx.Node) -> object:
        if not _is(n, _QUANTIZE):
            return super().run_node(n)
        (value, scale, *others), named = self.fetch_args_kwargs_from_env(n)
        nudges = torch.rand(value.shape, generator=self.noise) * 2 - 1
        return self.call_function(n.target, (value + nudges * (_NUDGE * scale), scale, *others), named)
