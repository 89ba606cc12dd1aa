"""A trunk's input moved by half a step of int8, so that all 256 values of a photo's pixels survive rounding.

A photo's pixels k/255 reach the stem as 2k/255 - 1: odd multiples of 1/255. An int8 grid holds zero and steps by
2/255, so every pixel falls between two of its values and is rounded up or down by 1/255: noise that a smooth
photo did not have, and that a quality score is made to see. Moved by 1/255 the pixels are the grid's own values,
and what moved is taken back, exactly, in the stem's BatchNorm.
"""

from __future__ import annotations

import torch
from torch import nn

_HALF_STEP = 1 / 255


@torch.no_grad()
def make_input_exact(trunk: nn.Module) -> None:
    """Move the input of ``trunk``, in place; it computes what it did, but for its zero padding's 1/255.

    Args:
        trunk: takes ``(views - trunk.mean) / 0.5`` to ``trunk.stem``, a convolution and its BatchNorm.
    """
    convolution, norm = trunk.stem
    trunk.mean -= _HALF_STEP / 2  # before the division by 0.5
    norm.running_mean += convolution.weight.sum((1, 2, 3)) * _HALF_STEP
