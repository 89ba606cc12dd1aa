"""Which values of the student become int8, and where they are rounded.

The trunk's convolutions, clamps and additions are int8: activations per tensor and affine, weights per output
channel and symmetric, as XNNPACK and Core ML run them. Pooling and heads stay float (``distill/networks/student.py``
says why).
"""

from __future__ import annotations

import torch
from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import XNNPACKQuantizer
from executorch.backends.xnnpack.quantizer.xnnpack_quantizer_utils import QuantizationConfig
from torchao.quantization.pt2e import FakeQuantize
from torchao.quantization.pt2e.quantizer import QuantizationAnnotation, QuantizationSpec

from quantize.float16_grid import (
    GridHistogramObserver,
    GridMinMaxObserver,
    GridMovingAverageObserver,
    GridPerChannelObserver,
)

CLAMPS = {
    torch.ops.aten.relu6.default,
    torch.ops.aten.relu6_.default,
    torch.ops.aten.hardtanh.default,
    torch.ops.aten.hardtanh_.default,
}
PADS = {torch.ops.aten.pad.default, torch.ops.aten.constant_pad_nd.default}
_ANNOTATION = "quantization_annotation"
# The smallest scale that XNNPACK's requantization takes.
_SMALLEST_SCALE = 2**-12
# What sets an activation's range: the extremes of all photos; their moving average, in which about the last twenty
# photos count; or the range that rounds a histogram of the values with the least squared error.
OBSERVERS = {
    "min-max": (GridMinMaxObserver, {}),
    "moving-average": (GridMovingAverageObserver, {"averaging_constant": 0.05}),
    "histogram": (GridHistogramObserver, {}),
}


def activation_spec(observer: str) -> QuantizationSpec:
    """Int8, per tensor, affine; ``observer`` is one of ``OBSERVERS``."""
    kind, settings = OBSERVERS[observer]
    return QuantizationSpec(
        dtype=torch.int8,
        quant_min=-128,
        quant_max=127,
        qscheme=torch.per_tensor_affine,
        is_dynamic=False,
        observer_or_fake_quant_ctr=FakeQuantize.with_args(observer=kind, eps=_SMALLEST_SCALE, **settings),
    )


def weight_spec() -> QuantizationSpec:
    """Int8, per output channel, symmetric, without -128 so that a weight and its negative round alike."""
    return QuantizationSpec(
        dtype=torch.int8,
        quant_min=-127,
        quant_max=127,
        qscheme=torch.per_channel_symmetric,
        ch_axis=0,
        is_dynamic=False,
        observer_or_fake_quant_ctr=FakeQuantize.with_args(observer=GridPerChannelObserver, eps=_SMALLEST_SCALE),
    )


class StudentQuantizer(XNNPACKQuantizer):
    """XNNPACKQuantizer that quantizes the trunk alone, and a convolution's output after its ReLU6.

    The stock quantizer rounds a convolution's output before the clamp, over the whole wide range that the clamp
    is about to cut. Moving the output's spec onto the clamp rounds [0, 6] only; XNNPACK still fuses the two.

    Args:
        float_modules: dotted names of modules inside the student that stay float besides pooling and heads.
        observer: one of ``OBSERVERS``.
    """

    def __init__(self, float_modules: frozenset[str] = frozenset(), observer: str = "min-max") -> None:
        super().__init__()
        self.float_modules = float_modules
        activation, weight = activation_spec(observer), weight_spec()
        # is_qat: fake-quantize modules stand in the graph, for calibration and for fine-tuning alike.
        self.set_global(QuantizationConfig(activation, activation, weight, None, True))
        self.set_filter_function(self._is_quantized)

    def annotate(self, model: torch.fx.GraphModule) -> torch.fx.GraphModule:
        model = super().annotate(model)
        for node in model.graph.nodes:
            if node.target in CLAMPS:
                _round_after_clamp(node)
            if node.target in PADS:
                _round_before_padding(node)
            # The stock quantizer also spreads scales over reshaping and pooling nodes that its filter never saw.
            if node.op == "call_function" and not self._is_quantized(node):
                node.meta.pop(_ANNOTATION, None)
        return model

    def _is_quantized(self, node: torch.fx.Node) -> bool:
        if node.op != "call_function":
            return True  # a weight or a bias goes with the convolution that reads it
        module = module_of(node)
        return module.startswith("trunk.") and module not in self.float_modules


def module_of(node: torch.fx.Node) -> str:
    """Dotted name of the student's innermost module that a graph node came from, or ''."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    return stack[-1][0] if stack else ""


def _round_after_clamp(clamp: torch.fx.Node) -> None:
    producer = clamp.args[0]
    annotation = producer.meta.get(_ANNOTATION)
    if annotation is None or annotation.output_qspec is None or len(producer.users) != 1:
        return
    clamp.meta[_ANNOTATION] = QuantizationAnnotation(
        input_qspec_map={}, output_qspec=annotation.output_qspec, _annotated=True
    )
    annotation.output_qspec = None


def _round_before_padding(pad: torch.fx.Node) -> None:
    """XNNPACK pads int8 values inside the convolution; a rounding in between would send the padding through float."""
    (convolution,) = pad.users
    annotation = convolution.meta.get(_ANNOTATION)
    if annotation is None or pad not in annotation.input_qspec_map:
        return
    spec = annotation.input_qspec_map.pop(pad)
    pad.meta[_ANNOTATION] = QuantizationAnnotation(input_qspec_map={pad.args[0]: spec}, _annotated=True)
