"""The layers of a prepared graph and the roundings that belong to each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torchao.quantization.pt2e import FakeQuantizeBase

from quantize.prepare import Prepared, fake_quantizers, set_rounding
from quantize.quantizer import CLAMPS, module_of

_LAYERS = {torch.ops.aten.conv2d.default, torch.ops.aten.add.Tensor, torch.ops.aten.add_.Tensor}


@dataclass(frozen=True, eq=False)
class Layer:
    """One convolution or addition of the trunk.

    Attributes:
        name: dotted name of its module.
        modules: names to give to the quantizer's ``float_modules`` so that it stays float: its own and its clamp's.
        roundings: of its weight and of its output.
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
        places = [argument for argument in node.args[1:2] if _is_weight_rounding(argument)]
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


def _is_weight_rounding(argument: object) -> bool:
    return isinstance(argument, torch.fx.Node) and argument.op == "call_module" and argument.args[0].op == "get_attr"
