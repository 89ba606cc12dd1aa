"""Post-training quantization: ranges from a pass over real photos, weights as they are, and a corrected bias."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from distill.student import Student
from quantize.prepare import Prepared, set_observing, set_rounding

HEAD_BIAS = "heads.early.bias"
_EDGE = 1e-4


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


@torch.no_grad()
def correct_bias(prepared: Prepared, student: Student, inputs: list[torch.Tensor]) -> None:
    """Shift the outputs' biases, in place, so that on ``inputs`` the mean logits are the float student's.

    After Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction" (ICCV 2019), at the
    one place where the errors of all layers arrive.
    """
    errors = [
        torch.logit(prepared(views)[0], eps=_EDGE) - torch.logit(student(views)[0], eps=_EDGE) for views in inputs
    ]
    dict(prepared.named_parameters())[HEAD_BIAS].sub_(torch.cat(errors).mean(0))
