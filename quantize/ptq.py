"""Post-training quantization: ranges from a pass over real photos, weights as they are."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from quantize.prepare import Prepared, set_observing, set_rounding


@torch.no_grad()
def calibrate(prepared: Prepared, inputs: Iterable[torch.Tensor]) -> None:
    """Set every scale and zero point, in place, from the float activations on ``inputs``; then round and freeze."""
    # Rounding stays off meanwhile: a layer's range must not depend on the rough ranges of the layers before it.
    set_rounding(prepared, False)
    set_observing(prepared, True)
    for views in inputs:
        prepared(views)
    set_observing(prepared, False)
    set_rounding(prepared, True)
