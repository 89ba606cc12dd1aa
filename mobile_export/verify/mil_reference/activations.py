"""Activations.

Formulas: the operator reference in coremltools, ``iOS15/activation``, ``iOS15/elementwise_unary`` for ``clip``.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from mobile_export.verify.mil_reference.errors import MilError
from mobile_export.verify.mil_reference.registry import operator


@operator("clip")
def clip(x: torch.Tensor, alpha: torch.Tensor, beta: torch.Tensor) -> torch.Tensor:
    return x.clamp(float(alpha), float(beta))


@operator("relu")
def relu(x: torch.Tensor) -> torch.Tensor:
    return x.clamp_min(0)


@operator("relu6")
def relu6(x: torch.Tensor) -> torch.Tensor:
    return x.clamp(0, 6)


@operator("sigmoid")
def sigmoid(x: torch.Tensor) -> torch.Tensor:
    return torch.sigmoid(x)


@operator("sigmoid_hard")
def sigmoid_hard(x: torch.Tensor, alpha: torch.Tensor, beta: torch.Tensor) -> torch.Tensor:
    """``min(max(alpha * x + beta, 0), 1)``."""
    return (float(alpha) * x + float(beta)).clamp(0, 1)


@operator("thresholded_relu")
def thresholded_relu(x: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """``x`` where it is ``alpha`` or more, 0 elsewhere."""
    return torch.where(x >= float(alpha), x, 0.0)


@operator("silu")
def silu(x: torch.Tensor) -> torch.Tensor:
    return F.silu(x)


@operator("gelu")
def gelu(x: torch.Tensor, mode: str = "EXACT") -> torch.Tensor:
    if mode == "EXACT":
        return F.gelu(x)
    if mode == "TANH_APPROXIMATION":
        return F.gelu(x, approximate="tanh")
    if mode == "SIGMOID_APPROXIMATION":
        return x * torch.sigmoid(1.702 * x)
    raise MilError(f"gelu mode {mode!r} is not one of EXACT, TANH_APPROXIMATION, SIGMOID_APPROXIMATION")


@operator("softmax")
def softmax(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
    return torch.softmax(x, axis)
