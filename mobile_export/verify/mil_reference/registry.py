"""Which Python function executes which MIL operator.

A function takes the operator's inputs by MIL's own names. Floats arrive as float32 tensors, whatever their
type in the program (:mod:`mobile_export.verify.mil_reference.program` does the rounding), small integers as integer
tensors, and int32, bool and string constants as plain Python values.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

Kernel = Callable[..., torch.Tensor]
KERNELS: dict[str, Kernel] = {}


def operator(*names: str) -> Callable[[Kernel], Kernel]:
    """Register a function as the implementation of the MIL operators ``names``."""

    def register(kernel: Kernel) -> Kernel:
        KERNELS.update(dict.fromkeys(names, kernel))
        return kernel

    return register
