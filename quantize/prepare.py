"""The student's prepared graph: folded BatchNorm, one fake-quantize module where a value becomes int8.

The same graph serves calibration, fine-tuning and conversion. ``prepare_pt2e`` folds each BatchNorm into its
convolution exactly, where ``prepare_qat_pt2e`` would rebuild it with an eps of its own; at the small rates of a
short fine-tune a frozen, folded BatchNorm is what one wants anyway.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torchao.quantization.pt2e import FakeQuantizeBase
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

from distill.networks.student import INPUT_SPEC, Student
from quantize.exact_input import make_input_exact
from quantize.quantizer import StudentQuantizer

Prepared = torch.fx.GraphModule


def prepare(student: Student, quantizer: StudentQuantizer | None = None) -> Prepared:
    """The prepared graph of a float student, with every observer on and every rounding on.

    Args:
        student: in evaluation mode; it is not changed.
        quantizer: which modules become int8; all of the trunk by default.
    """
    with torch.no_grad():
        # A copy, because an exported graph shares its parameters with the module that it came from.
        own = make_input_exact(copy.deepcopy(student).eval())
        exported = torch.export.export(own, (torch.rand(INPUT_SPEC.shape),)).module()
    prepared = prepare_pt2e(exported, quantizer or StudentQuantizer())
    if not any(True for _ in fake_quantizers(prepared)):
        raise RuntimeError("the quantizer annotated nothing: are the student's module names what it filters by?")
    return prepared


def fake_quantizers(prepared: Prepared) -> Iterator[tuple[str, FakeQuantizeBase]]:
    """Name and module of every place where the graph rounds to int8."""
    for name, module in prepared.named_modules():
        if isinstance(module, FakeQuantizeBase):
            yield name, module


def set_observing(prepared: Prepared, enabled: bool) -> None:
    """Let the observers follow the values they see, or freeze scales and zero points."""
    for _, module in fake_quantizers(prepared):
        module.enable_observer(enabled)


def set_rounding(prepared: Prepared, enabled: bool) -> None:
    """Round to int8, or pass values through."""
    for _, module in fake_quantizers(prepared):
        module.enable_fake_quant(enabled)


@contextmanager
def without_rounding(prepared: Prepared) -> Iterator[Prepared]:
    """The prepared graph as a float network: it must then compute what the student computes."""
    set_rounding(prepared, False)
    try:
        yield prepared
    finally:
        set_rounding(prepared, True)


def convert(prepared: Prepared) -> torch.export.ExportedProgram:
    """The int8 graph, ready to be lowered; ``prepared`` is not changed."""
    graph = convert_pt2e(copy.deepcopy(prepared))
    with torch.no_grad():
        return torch.export.export(graph, (torch.rand(INPUT_SPEC.shape),))
