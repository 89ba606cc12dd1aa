"""Which values of a network become int8, and where they are rounded.

Convolutions, linear layers, clamps, additions, products and concatenations are int8: activations per tensor and
affine, weights per output channel and symmetric, as XNNPACK and Core ML run them. What the network's ``float_layers``
name stays float, and so do its heads and the pooling before them: averages over many positions are finer than the int8
step of what they average.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import XNNPACKQuantizer
from executorch.backends.xnnpack.quantizer.xnnpack_quantizer_utils import QuantizationConfig, propagate_annotation
from torchao.quantization.pt2e import FakeQuantize
from torchao.quantization.pt2e.quantizer import QuantizationAnnotation, QuantizationSpec, SharedQuantizationSpec

from distill.contract import QualityNetwork
from quantize.float16_grid import (
    GridHistogramObserver,
    GridMinMaxObserver,
    GridMovingAverageObserver,
    GridPerChannelObserver,
)
from quantize.graph import CLAMPS, PADS, POOLING, head_nodes, module_of, with_all_below

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


class NetworkQuantizer(XNNPACKQuantizer):
    """XNNPACKQuantizer that leaves a network's float layers alone, and rounds a convolution's output after its clamp.

    The stock quantizer rounds a convolution's output before the clamp, over the whole wide range that the clamp
    is about to cut. Moving the output's spec onto the clamp rounds what is left; XNNPACK still fuses the two.

    Args:
        network: whose heads stay float.
        float_modules: dotted names of the modules whose own operators stay float; what lies below one goes by its own
            name. By default the network's ``float_layers`` with all that is below them.
        observer: one of ``OBSERVERS``.
    """

    def __init__(
        self, network: QualityNetwork, float_modules: Iterable[str] | None = None, observer: str = "min-max"
    ) -> None:
        super().__init__()
        chosen = with_all_below(network, network.float_layers) if float_modules is None else frozenset(float_modules)
        heads = () if network.heads_name is None else (network.heads_name,)
        self.heads_name = network.heads_name
        self.float_modules = chosen | with_all_below(network, heads)
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
        propagate_annotation(model)  # again: a pooling layer behind a clamp shares the scale that the clamp has now
        pooled = self._pooling_before_heads(model)
        dropped: set[torch.fx.Node] = set()
        for node in model.graph.nodes:
            # The stock quantizer also spreads scales over reshaping and pooling nodes that its filter never saw.
            left_float = node.op == "call_function" and (node in pooled or not self._is_quantized(node))
            if left_float or _pools_float(node) or _shares_with(node, dropped):
                dropped.add(node)
                node.meta.pop(_ANNOTATION, None)
        return model

    def _is_quantized(self, node: torch.fx.Node) -> bool:
        if node.op != "call_function":
            return True  # a weight or a bias goes with the convolution that reads it
        module = module_of(node)
        return bool(module) and module not in self.float_modules

    def _pooling_before_heads(self, model: torch.fx.GraphModule) -> set[torch.fx.Node]:
        """What only averages, joins and reshapes between the last int8 layers and the heads."""
        found: set[torch.fx.Node] = set()
        waiting = [node.args[0] for node in head_nodes(model, self.heads_name)]
        while waiting:
            node = waiting.pop()
            if node.target in POOLING and node not in found:
                found.add(node)
                waiting += node.all_input_nodes
        return found


def _pools_float(node: torch.fx.Node) -> bool:
    """Whether a node averages, joins or reshapes values that are all float: int8 would only lose what they hold."""
    return node.target in POOLING and not any(_ANNOTATION in source.meta for source in node.all_input_nodes)


def _shares_with(node: torch.fx.Node, dropped: set[torch.fx.Node]) -> bool:
    """Whether a node was to share the scale of one that stays float."""
    annotation = node.meta.get(_ANNOTATION)
    if annotation is None:
        return False
    specs = [*annotation.input_qspec_map.values(), annotation.output_qspec]
    owners = [spec.edge_or_node for spec in specs if isinstance(spec, SharedQuantizationSpec)]
    return any(end in dropped for owner in owners for end in (owner if isinstance(owner, tuple) else (owner,)))


def _round_after_clamp(clamp: torch.fx.Node) -> None:
    producer = clamp.args[0]
    annotation = producer.meta.get(_ANNOTATION)
    if annotation is None or not isinstance(annotation.output_qspec, QuantizationSpec) or len(producer.users) != 1:
        return
    clamp.meta[_ANNOTATION] = QuantizationAnnotation(
        input_qspec_map={}, output_qspec=annotation.output_qspec, _annotated=True
    )
    annotation.output_qspec = None


def _round_before_padding(pad: torch.fx.Node) -> None:
    """XNNPACK pads int8 values inside the convolution; a rounding in between would send the padding through float."""
    readers = list(pad.users)
    annotation = readers[0].meta.get(_ANNOTATION) if len(readers) == 1 else None
    if annotation is None or pad not in annotation.input_qspec_map:
        return
    spec = annotation.input_qspec_map.pop(pad)
    pad.meta[_ANNOTATION] = QuantizationAnnotation(input_qspec_map={pad.args[0]: spec}, _annotated=True)
