"""What each parity check allows, and why. The constants, each with its reason, are ``pocketiqa.promises``.

Three kinds of difference exist, and each has its own scale:

- **one graph, the same numbers, another order of summation**: float32's last digits, ``SAME_GRAPH``;
- **one int8 graph in another implementation**: a value on a rounding border falls to the other side. The scale is
  the *output step*: how far an output moves when every channel mean that the heads read is off by one int8 step, each
  independently;
- **another precision**: float16 costs a share of the scores' own deviation, int8 what the bundle promises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from pocketiqa import promises
from pocketiqa.parity import compare
from pocketiqa.promises import Promise

# By name: torch registers these operators only when something quantizes.
_QUANTIZE = "quantize_per_tensor"
_DEQUANTIZE = "dequantize_per_tensor"
# Photos that the output step is averaged over; it varies little.
_PHOTOS_FOR_STEP = 4


@dataclass(frozen=True)
class Bound:
    """The most that two steps may differ by, for inputs of every kind; what is None is not judged.

    Attributes:
        max_abs: of any output of any input.
        mean_abs: of the score, mean over inputs.
    """

    max_abs: float | None = None
    mean_abs: float | None = None
    on_noise = True

    def broken(self, reference: np.ndarray, candidate: np.ndarray) -> list[str]:
        """One line for each bound that is not kept, by finite outputs n×(1 + attributes) of the two steps."""
        gap = np.abs(candidate - reference)
        found = {"max |Δ|": (gap.max(), self.max_abs), "mean |Δ|": (gap[:, 0].mean(), self.mean_abs)}
        return [
            f"{label} {value:.2g} is over {bound:.2g}"
            for label, (value, bound) in found.items()
            if bound is not None and not value <= bound
        ]

    def __str__(self) -> str:
        parts = {"max |Δ| ≤": self.max_abs, "mean |Δ| ≤": self.mean_abs}
        return ", ".join(f"{words} {value:.2g}" for words, value in parts.items() if value is not None)


@dataclass(frozen=True)
class Promised:
    """What int8 keeps of the float scores; random noise is shown and not judged, because nothing is promised there."""

    promise: Promise
    on_noise = False

    def broken(self, reference: np.ndarray, candidate: np.ndarray) -> list[str]:
        """As :meth:`Bound.broken`, of the scores."""
        return compare(reference[:, 0], candidate[:, 0]).broken(self.promise)

    def __str__(self) -> str:
        """Its first bounds; the manifest and the model card have them all."""
        shown = Promise(srcc=self.promise.srcc, mean_abs=self.promise.mean_abs)
        return f"the promise: {shown}" + (", …" if shown != self.promise else "")


SAME_GRAPH = Bound(max_abs=promises.SAME_GRAPH)


@dataclass(frozen=True)
class Scales:
    """What a build's bounds are measured in.

    Attributes:
        deviation: standard deviation of the float scores of the golden photos.
        output_step: of the int8 graph; None where no int8 is built.
        promise: what int8 keeps of float.
    """

    deviation: float
    output_step: float | None
    promise: Promise


def same_graph(scales: Scales) -> Bound:
    """For another implementation of a float graph."""
    return SAME_GRAPH


def same_int8_graph(scales: Scales) -> Bound:
    """For another implementation of an int8 graph."""
    step = scales.output_step
    return Bound(max_abs=promises.INT8_STEPS_MAX * step, mean_abs=promises.INT8_STEPS_MEAN * step)


def half_precision(scales: Scales) -> Bound:
    """For a float16 program of a float graph."""
    deviation = scales.deviation
    return Bound(
        max_abs=promises.HALF_PRECISION_MAX * deviation, mean_abs=promises.HALF_PRECISION_MEAN * deviation
    )


def promised(scales: Scales) -> Promised:
    """For int8 against float."""
    return Promised(scales.promise)


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
