"""An int8 student's numbers are float16's own, so that Core ML holds the same ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_student import TinyStudent, tiny_inputs, tuning_photos

from quantize.float16_grid import on_grid, put_parameters_on_grid
from quantize.prepare import convert, fake_quantizers, prepare
from quantize.ptq import calibrate
from quantize.quantizer import OBSERVERS, NetworkQuantizer
from quantize.recipe import Recipe, quantize

TINY = TinyStudent().eval()


def test_every_scale_and_every_parameter_of_a_quantized_student_is_a_float16(photos: dict[str, np.ndarray]) -> None:
    student = TinyStudent().eval()
    prepared = quantize(student, tuning_photos(student, tiny_inputs(photos, 12)), Recipe(), "tiny")
    parameters = dict(prepared.named_parameters())
    assert parameters
    assert all(torch.equal(tensor, on_grid(tensor)) for tensor in parameters.values())
    assert not all(torch.equal(tensor, on_grid(tensor)) for tensor in student.parameters())
    scales = _scales(convert(prepared).module())
    assert len(scales) >= 4
    assert all(torch.equal(scale, on_grid(scale)) for scale in scales)


@pytest.mark.parametrize("observer", OBSERVERS)
def test_every_observer_puts_its_scales_on_the_grid(observer: str, photos: dict[str, np.ndarray]) -> None:
    prepared = prepare(TINY, NetworkQuantizer(TINY, observer=observer))
    calibrate(prepared, tiny_inputs(photos, 3))
    for _, rounding in fake_quantizers(prepared):
        assert torch.equal(rounding.scale, on_grid(rounding.scale))


def test_an_int8_weight_keeps_its_integer_on_the_grid() -> None:
    torch.manual_seed(0)
    scale = on_grid(torch.rand(1000) * 10.0 ** torch.randint(-3, 1, (1000,)) + 2**-12)
    integers = torch.randint(-127, 128, (1000,))
    holder = torch.nn.Module()
    holder.weight = torch.nn.Parameter(integers * scale)
    put_parameters_on_grid(holder)
    assert torch.equal((holder.weight / scale).round().int(), integers.int())


def _scales(graph: torch.fx.GraphModule) -> list[torch.Tensor]:
    """The scales of all quantize and dequantize operators: a number, or one for each channel."""
    found = []
    for node in graph.graph.nodes:
        if node.op == "call_function" and "quantize_per" in node.target.__name__:
            scale = node.args[1]
            found.append(getattr(graph, scale.target) if isinstance(scale, torch.fx.Node) else torch.tensor(scale))
    return [scale.float() for scale in found]
