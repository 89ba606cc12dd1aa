"""The layers of a prepared graph and the roundings that belong to each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torchao.quantization.pt2e import FakeQuantizeBase

from quantize.prepare import Prepared, fake_quantizers, set_rounding
from quantize.quantizer import CLAMPS, PADS, module_of

_LAYERS = {
    torch.ops.aten.conv2d.default,
    torch.ops.aten.add.Tensor,
    torch.ops.aten.add_.Tensor,
    torch.ops.aten.mul.Tensor,
    torch.ops.aten.mul_.Tensor,
}


@dataclass(frozen=True, eq=False)
class Layer:
    """One convolution, addition or product (a squeeze-excitation's gate) of the trunk.

    Attributes:
        name: dotted name of its module.
        modules: names to give to the quantizer's ``float_modules`` so that it stays float: its own and its clamp's.
        roundings: of its weight, of its output, and of inputs that no other layer makes.
    """

    name: str
    modules: frozenset[str]
    roundings: list[FakeQuantizeBase]


def layers_of(prepared: Prepared) -> list[Layer]:
    """Every quantized layer, in the order in which they run."""
    found = []
    for node in prepared.graph.nodes:
        if node.target not in _LAYERS or not module_of(node).startswith("trunk."):
            continue
        clamp = next((user for user in node.users if user.target in CLAMPS), node)
        read = [source.args[0] if source.target in PADS else source for source in node.all_input_nodes]
        places = [source for source in read if _is_own_rounding(source)]
        places += [user for user in clamp.users if user.op == "call_module"]
        roundings = [prepared.get_submodule(place.target) for place in places]
        if roundings:
            found.append(Layer(module_of(node), frozenset({module_of(node), module_of(clamp)}), roundings))
    return found


@contextmanager
def only_rounding(prepared: Prepared, roundings: list[FakeQuantizeBase]) -> Iterator[None]:
    """All roundings but these are off."""
    chosen = {id(rounding) for rounding in roundings}
    for _, rounding in fake_quantizers(prepared):
        rounding.enable_fake_quant(id(rounding) in chosen)
    try:
        yield
    finally:
        set_rounding(prepared, True)


def _is_own_rounding(node: torch.fx.Node) -> bool:
    """Rounds a weight, or a value that comes from no other layer, such as an activation that stays float."""
    return node.op == "call_module" and node.args[0].target not in _LAYERS | CLAMPS
