"""A network's prepared graph: folded BatchNorm, one fake-quantize module where a value becomes int8.

The same graph serves calibration, fine-tuning and conversion. ``prepare_pt2e`` folds each BatchNorm into its
convolution exactly, whatever its eps, where ``prepare_qat_pt2e`` would rebuild it with an eps of its own; at the
small rates of a short fine-tune a frozen, folded BatchNorm is what one wants anyway.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torchao.quantization.pt2e import FakeQuantizeBase
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

from distill.contract import QualityNetwork
from quantize.graph import example_of
from quantize.quantizer import NetworkQuantizer

Prepared = torch.fx.GraphModule


def prepare(network: QualityNetwork, quantizer: NetworkQuantizer | None = None) -> Prepared:
    """The prepared graph of a float network, with every observer and every fake quantization on.

    Args:
        network: is not changed.
        quantizer: which modules become int8; by default all but the network's ``float_layers``.

    Raises:
        ValueError: nothing in the network becomes int8.
    """
    with torch.no_grad():
        # A copy, because an exported graph shares its parameters with the module that it came from.
        own = copy.deepcopy(network.with_exact_input()).eval()
        exported = torch.export.export(own, (network.example(),)).module()
    prepared = prepare_pt2e(exported, quantizer or NetworkQuantizer(network))
    if not any(True for _ in fake_quantizers(prepared)):
        raise ValueError(
            f"no layer of {network.name} becomes int8: convolutions, linear layers, additions and products do, outside "
            f"its float_layers ({', '.join(network.float_layers)}) and inside modules of its own"
        )
    return prepared


def fake_quantizers(prepared: Prepared) -> Iterator[tuple[str, FakeQuantizeBase]]:
    """Name and module of every place where the graph rounds to int8."""
    for name, module in prepared.named_modules():
        if isinstance(module, FakeQuantizeBase):
            yield name, module


def rounds(prepared: Prepared, node: torch.fx.Node) -> bool:
    """Whether a node is a fake quantization."""
    return node.op == "call_module" and isinstance(prepared.get_submodule(node.target), FakeQuantizeBase)


def enable_observers(prepared: Prepared, enabled: bool) -> None:
    """Let the observers follow the values they see, or freeze scales and zero points."""
    for _, module in fake_quantizers(prepared):
        module.enable_observer(enabled)


def enable_fake_quant(prepared: Prepared, enabled: bool) -> None:
    """Round to int8, or pass values through."""
    for _, module in fake_quantizers(prepared):
        module.enable_fake_quant(enabled)


def take_range(fake_quant: FakeQuantizeBase) -> None:
    """Set scale and zero point by the range that the observer holds."""
    scale, zero_point = fake_quant.calculate_qparams()
    fake_quant.scale, fake_quant.zero_point = scale, zero_point.to(fake_quant.zero_point.dtype)


@contextmanager
def without_fake_quant(prepared: Prepared) -> Iterator[Prepared]:
    """The prepared graph as a float network: it must then compute what the network computes."""
    enable_fake_quant(prepared, False)
    try:
        yield prepared
    finally:
        enable_fake_quant(prepared, True)


def convert(prepared: Prepared) -> torch.export.ExportedProgram:
    """The int8 graph, ready to be lowered; ``prepared`` is not changed."""
    graph = convert_pt2e(copy.deepcopy(prepared))
    with torch.no_grad():
        return torch.export.export(graph, (example_of(prepared),))
