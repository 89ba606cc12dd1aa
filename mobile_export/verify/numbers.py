"""The numbers that lie inside an artifact, against those of its graph: weights, scales, zero points, bit by bit.

Both sides are counted without names, which backends change: a weight as a digest of its codes, a scale with its zero
point and by whether values are rounded to it or read from it.
"""

from __future__ import annotations

from collections import Counter
from hashlib import sha256

import numpy as np
import torch

from mobile_export.verify.checks import Subject
from mobile_export.verify.ladder import ParityCheck

QUANTIZE, DEQUANTIZE = "quantize", "dequantize"
_PER_TENSOR = {
    "quantized_decomposed.quantize_per_tensor.default": QUANTIZE,
    "quantized_decomposed.dequantize_per_tensor.default": DEQUANTIZE,
}
_CONVOLUTIONS = ("aten.conv2d.default", "aten.convolution.default")

Scale = tuple[str, float, int]  # QUANTIZE or DEQUANTIZE, scale, zero point


def check_numbers(subject: Subject, what: str, expected: Counter, found: Counter) -> None:
    """Compare two sides of one kind, ``weights`` or ``scales``.

    Raises:
        BrokenParityCheck: one number is another one, is missing or is too many.
    """
    wrong = sum(((expected - found) + (found - expected)).values())
    subject.ladder.add(
        ParityCheck(
            reference=subject.reference,
            candidate=subject.step,
            inputs=what,
            n=expected.total(),
            max_abs=float(wrong > 0),
            mean_abs=wrong / max(1, 2 * expected.total()),
            srcc=None,
            bound="equal, bit by bit",
            holds=wrong == 0,
        )
    )


def digest(values: np.ndarray) -> str:
    """Of a tensor's shape and bytes."""
    return sha256(repr(values.shape).encode() + np.ascontiguousarray(values).tobytes()).hexdigest()


def weights_of_graph(exported: torch.export.ExportedProgram) -> Counter[str]:
    """Digests of the convolutions' weights, as they are stored: int8 codes where the graph has int8 weights."""
    nodes = [node for node in exported.graph.nodes if str(node.target) in _CONVOLUTIONS]
    return Counter(digest(constant(exported, node.args[1]).numpy()) for node in nodes)


def scales_of_graph(exported: torch.export.ExportedProgram, of_scalars: bool = True) -> Counter[Scale]:
    """Each scale of an activation with its zero point, once; none in a float graph.

    Scalars, such as those of a normalization, are rounded too; ``of_scalars=False`` leaves them out.
    """
    found = set()
    for node in exported.graph.nodes:
        if (name := str(node.target)) in _PER_TENSOR and (of_scalars or node.meta["val"].ndim):
            found.add((_PER_TENSOR[name], float(np.float32(node.args[1])), int(node.args[2])))
    return Counter(found)


def constant(exported: torch.export.ExportedProgram, node: torch.fx.Node) -> torch.Tensor:
    """The constant that ``node`` is, or that the operators behind it dequantize."""
    while node.op != "placeholder":
        node = node.args[0]
    signature = exported.graph_signature
    name = signature.inputs_to_parameters.get(node.name) or signature.inputs_to_buffers.get(node.name)
    if name is None:
        name = signature.inputs_to_lifted_tensor_constants[node.name]
    return (exported.state_dict[name] if name in exported.state_dict else exported.constants[name]).detach()
