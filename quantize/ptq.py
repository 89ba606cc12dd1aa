"""Post-training quantization: ranges from a pass over real photos, weights rounded together, heads fitted to both."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from quantize.exact_input import INPUT_RANGE, STEM
from quantize.prepare import Prepared, set_observing, set_rounding
from quantize.quantizer import module_of


@torch.no_grad()
def calibrate(prepared: Prepared, inputs: Iterable[torch.Tensor]) -> None:
    """Set every scale and zero point, in place, from the float activations on ``inputs``; then round and freeze."""
    # Rounding stays off meanwhile: a layer's range must not depend on the rough ranges of the layers before it.
    set_rounding(prepared, False)
    set_observing(prepared, True)
    for views in inputs:
        prepared(views)
    _fix_input_range(prepared)
    set_observing(prepared, False)
    set_rounding(prepared, True)


def _fix_input_range(prepared: Prepared) -> None:
    """Pixels have a range of their own, whatever the calibration photos held."""
    for node in prepared.graph.nodes:
        if node.op == "call_module" and any(module_of(user) == STEM for user in node.users):
            if node.args[0].op == "get_attr":
                continue  # the stem's weight
            rounding = prepared.get_submodule(node.target)
            observer = rounding.activation_post_process
            observer.min_val, observer.max_val = (torch.tensor(bound) for bound in INPUT_RANGE)
            scale, zero_point = observer.calculate_qparams()
            rounding.scale, rounding.zero_point = scale, zero_point.to(rounding.zero_point.dtype)
