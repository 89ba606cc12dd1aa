"""The int8 layers of a prepared graph, and the fake quantizations that belong to each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torchao.quantization.pt2e import FakeQuantizeBase

from quantize.graph import CLAMPS, CONVOLUTIONS, LINEAR, PADS, module_of
from quantize.prepare import Prepared, enable_fake_quant, fake_quantizers

_ATEN = torch.ops.aten
_MAKERS = CONVOLUTIONS | LINEAR | {_ATEN.add.Tensor, _ATEN.add_.Tensor, _ATEN.mul.Tensor, _ATEN.mul_.Tensor}


@dataclass(frozen=True, eq=False)
class Int8Layer:
    """One convolution, linear layer, addition or product (a squeeze-excitation's gate) in int8.

    Attributes:
        name: dotted name of its module.
        modules: names to give to the quantizer's ``float_modules`` so that it stays float: its own and its clamp's.
        fake_quants: of its weight, of its output, and of inputs that no other layer makes.
    """

    name: str
    modules: frozenset[str]
    fake_quants: list[FakeQuantizeBase]


def int8_layers(prepared: Prepared) -> list[Int8Layer]:
    """Every quantized layer, in the order in which they run."""
    found = []
    for node in prepared.graph.nodes:
        if node.target not in _MAKERS:
            continue
        clamp = next((user for user in node.users if user.target in CLAMPS), node)
        output = [user for user in clamp.users if user.op == "call_module"]
        read = [source.args[0] if source.target in PADS else source for source in node.all_input_nodes]
        weight = [source for source in read if _rounds_a_weight(source)]
        if output or weight:
            places = [source for source in read if _is_own(source)] + output
            modules = frozenset({module_of(node), module_of(clamp)})
            found.append(Int8Layer(module_of(node), modules, [prepared.get_submodule(p.target) for p in places]))
    return found


@contextmanager
def only_fake_quants(prepared: Prepared, chosen: list[FakeQuantizeBase]) -> Iterator[None]:
    """All fake quantizations but these are off."""
    wanted = {id(fake_quant) for fake_quant in chosen}
    for _, fake_quant in fake_quantizers(prepared):
        fake_quant.enable_fake_quant(id(fake_quant) in wanted)
    try:
        yield
    finally:
        enable_fake_quant(prepared, True)


def _rounds_a_weight(node: torch.fx.Node) -> bool:
    return node.op == "call_module" and node.args[0].op == "get_attr"


def _is_own(node: torch.fx.Node) -> bool:
    """Rounds a weight, or a value that comes from no other layer, such as an activation that stays float."""
    return node.op == "call_module" and node.args[0].target not in _MAKERS | CLAMPS
