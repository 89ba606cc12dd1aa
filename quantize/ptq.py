"""Post-training quantization: the range of every value, from one pass over real photos."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from quantize.graph import example_of, with_values
from quantize.prepare import Prepared, enable_fake_quant, enable_observers, rounds, take_range

_ATEN = torch.ops.aten
# What a network does to pixels before its first layer: shifts and scales, one by one.
_NORMALIZATION = {_ATEN.sub.Tensor, _ATEN.add.Tensor, _ATEN.mul.Tensor, _ATEN.div.Tensor, _ATEN.to.dtype}


@torch.no_grad()
def calibrate(prepared: Prepared, inputs: Iterable[torch.Tensor]) -> None:
    """Set every scale and zero point, in place, from the float activations on ``inputs``; then round and freeze."""
    # Fake quantization stays off meanwhile: a range must not depend on the rough ranges of the layers before it.
    enable_fake_quant(prepared, False)
    enable_observers(prepared, True)
    for views in inputs:
        prepared(views)
    enable_observers(prepared, False)  # black and white photos are no photos: their activations set no range
    _fix_input_range(prepared)
    enable_fake_quant(prepared, True)


def _fix_input_range(prepared: Prepared) -> None:
    """Pixels have a range of their own, black to white, whatever the calibration photos held."""
    for node in prepared.graph.nodes:
        if not rounds(prepared, node) or not _is_of_pixels(node.args[0]):
            continue
        black = torch.zeros_like(example_of(prepared))
        seen = [with_values(prepared, [node.args[0]])(views)[-1] for views in (black, black + 1)]
        fake_quant = prepared.get_submodule(node.target)
        observer = fake_quant.activation_post_process
        observer.min_val, observer.max_val = min(value.min() for value in seen), max(value.max() for value in seen)
        take_range(fake_quant)


def _is_of_pixels(node: torch.fx.Node) -> bool:
    """Whether a value is the network's input, at most normalized."""
    if node.op == "placeholder":
        return True
    return node.target in _NORMALIZATION and any(_is_of_pixels(source) for source in node.all_input_nodes)
