"""What a phone's backend does not take of a network: said within seconds of loading it, by operator and with the cure.

    program, limits = check_backend(network)     # raises ContractError where the network cannot be exported at all
"""

from __future__ import annotations

import sys
from collections import Counter

import torch

from distill.contract import ContractError, QualityNetwork
from quantize.graph import CLAMPS, PADS, POOLING, SHAPING, module_of
from quantize.prepare import prepare
from quantize.program import Lowered, lower
from quantize.quantizer import NetworkQuantizer

# By a part of the operator's name.
_CURES = {
    "reciprocal": "write a / b with two tensors instead of 1.0 / b",
    "mean": "average over both of (2, 3) with keepdim=True, or use AdaptiveAvgPool2d(1)",
    "sum": "use a mean and multiply by the count",
    "logical_not": "it is in scaled_dot_product_attention; timm.layers.set_fused_attn(False) before building avoids it",
    "batch_norm": "directly behind a convolution it is folded away",
    "layer_norm": "there is no other form of it; BatchNorm behind a convolution costs nothing",
    "to_dim_order_copy": "it is a cast: write numbers beside float tensors as floats, x * 2.0",
    "constant_pad": "give the convolution its padding as numbers",
}


def check_backend(network: QualityNetwork) -> tuple[Lowered, list[str]]:
    """The float network as an XNNPACK program, and a sentence for each thing that the backend does not do for it.

    Raises:
        ContractError: the network cannot be exported, or holds an operator that ExecuTorch does not have.
    """
    exported = export_network(network)
    try:
        program = lower(exported)
    except Exception as error:
        raise ContractError(
            f"ExecuTorch cannot run {network.name}: {_said(error)}. Write what that operator does with "
            "convolutions, linear layers, pooling and elementwise arithmetic"
        ) from error
    limits = []
    if program.outside:
        hit = [name for name in _CURES if any(name in found for found in program.outside)]
        cures = [f" {name}: {_CURES[name]}." for name in hit]
        limits.append(
            f"XNNPACK does not take {_listed(program.outside)} of {network.name}: ExecuTorch's own operators run them, "
            f"which is right and slow, and what XNNPACK takes falls into {program.subgraphs} pieces." + "".join(cures)
        )
    if left_float := float_operators(network):
        limits.append(
            f"{_listed(left_float)} of {network.name} stay float in the int8 program, with a conversion before and "
            "behind each: int8 has convolutions, linear layers, additions, products, ReLU and ReLU6"
        )
    return program, limits


def export_network(network: QualityNetwork) -> torch.export.ExportedProgram:
    """The network as a graph of one fixed input shape.

    Raises:
        ContractError: its forward pass is no such graph.
    """
    try:
        with torch.no_grad():
            return torch.export.export(network.eval(), (network.example(),))
    except Exception as error:
        raise ContractError(
            f"torch.export cannot take {network.name}: {_said(error)}. The forward pass must do the same for "
            "every photo: no if or loop that depends on a tensor's values (torch.where chooses), no .item(), no numpy"
        ) from error


def float_operators(network: QualityNetwork) -> dict[str, int]:
    """Operators, and how many of each, that stay float although no ``float_layers`` name their module."""
    quantizer = NetworkQuantizer(network)
    found = Counter(
        node.target.overloadpacket.__name__.rstrip("_")
        for node in prepare(network, quantizer).graph.nodes
        if isinstance(node.target, torch._ops.OpOverload)
        and node.target not in CLAMPS | PADS | POOLING | SHAPING
        and module_of(node) not in quantizer.float_modules | {""}
        and "quantization_annotation" not in node.meta
    )
    return dict(sorted(found.items()))


def print_limits(limits: list[str]) -> None:
    """On standard error, before the long work begins."""
    for limit in limits:
        print(f"note: {limit}", file=sys.stderr)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} ×{count}" for name, count in counts.items())


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300].rstrip(". ")
