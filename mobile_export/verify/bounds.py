"""What each rung of the ladder allows, and why.

Three kinds of difference exist, and each has its own scale:

- **one graph, the same numbers, another order of summation**: float32's last digits, ``SAME_GRAPH``;
- **one int8 graph in another implementation**: a value on a rounding border falls to the other side. The scale is
  the *output step*: how far an output moves when every channel mean that the heads read is off by one int8 step, each
  independently. Two sound implementations may each be off by one, so they stay within two such steps on every photo,
  and within half a step on average;
- **another precision**: what float16 may cost is a hundredth of the scores' own deviation, what int8 may cost is the
  product's promise (``pocketiqa.promises.ANY_NETWORK``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from pocketiqa.promises import ANY_NETWORK

# By name: torch registers these operators only when something quantizes.
_QUANTIZE = "quantize_per_tensor"
_DEQUANTIZE = "dequantize_per_tensor"
# Photos that the output step is averaged over; it varies little.
_PHOTOS_FOR_STEP = 4

# The apps' resampling in floating point against Pillow's in fixed point: a sum on a rounding border may fall to the
# other side, once in each of two passes. In levels of 1/255.
INPUT_LEVELS = 1.01
# Rounding a weight to float16 changes it by 2**-12; where the smallest weights of a layer are subnormal, by 0.12 %.
WEIGHTS = 2e-3
# A layer on its reference's own input: float16 costs up to 0.1 %. In int8 a scale that is rounded to float16 carries
# some values over a rounding border, up to 0.5 %. A zero point that is off by one moves every value by a step, which
# is 2 % and more; a weight tensor that is off by 1 % shows as 1 %.
LAYER_FLOAT16 = 3e-3
LAYER_INT8 = 1.2e-2


@dataclass(frozen=True)
class Bound:
    """The most that two steps may differ by; what is None is not judged.

    Attributes:
        max_abs: of any output of any input.
        mean_abs: of the score, mean over inputs.
        srcc: least rank correlation of the score.
        on_noise: whether random noise is judged as well; only one graph's two forms promise anything there.
    """

    max_abs: float | None = None
    mean_abs: float | None = None
    srcc: float | None = None
    on_noise: bool = True

    def holds(self, max_abs: float, mean_abs: float, srcc: float) -> bool:
        """NaN holds nothing."""
        return (
            (self.max_abs is None or max_abs <= self.max_abs)
            and (self.mean_abs is None or mean_abs <= self.mean_abs)
            and (self.srcc is None or srcc >= self.srcc)
        )

    def __str__(self) -> str:
        parts = {"max |Δ| ≤": self.max_abs, "mean |Δ| ≤": self.mean_abs, "SRCC ≥": self.srcc}
        return ", ".join(f"{words} {value:.2g}" for words, value in parts.items() if value is not None)


SAME_GRAPH = Bound(max_abs=1e-4)
QUANTIZATION = Bound(mean_abs=ANY_NETWORK.mean_abs, srcc=ANY_NETWORK.srcc, on_noise=False)


def same_int8_graph(step: float) -> Bound:
    """For another implementation of an int8 graph whose output step is ``step``."""
    return Bound(max_abs=2 * step, mean_abs=step / 2)


def half_precision(reference_scores: np.ndarray) -> Bound:
    """For a float16 program, from the n scores of the float one: the mean within a hundredth of their deviation."""
    mean = 1e-2 * float(np.std(reference_scores))
    return Bound(max_abs=10 * mean, mean_abs=mean)


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
            shape = (*value.shape[:2], *[1] * (value.ndim - 2))
            self.zeros[n] = torch.zeros(shape, requires_grad=True)
            value = value.detach() + self.zeros[n]
        return value
