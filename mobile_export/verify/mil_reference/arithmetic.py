"""Arithmetic, normalizations, products and reductions.

Formulas: the operator reference in coremltools, ``iOS15/elementwise_binary``, ``normalization``, ``linear``,
``reduction``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from mobile_export.verify.mil_reference.registry import operator


@operator("add")
def add(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.add(torch.as_tensor(x), torch.as_tensor(y))


@operator("sub")
def sub(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.sub(torch.as_tensor(x), torch.as_tensor(y))


@operator("mul")
def mul(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.mul(torch.as_tensor(x), torch.as_tensor(y))


@operator("real_div")
def real_div(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.true_divide(torch.as_tensor(x), torch.as_tensor(y))


@operator("abs")
def absolute(x: torch.Tensor) -> torch.Tensor:
    return x.abs()


@operator("batch_norm")
def batch_norm(
    x: torch.Tensor,
    mean: torch.Tensor,
    variance: torch.Tensor,
    gamma: torch.Tensor | None = None,
    beta: torch.Tensor | None = None,
    epsilon: float = 1e-5,
) -> torch.Tensor:
    return F.batch_norm(x, mean, variance, gamma, beta, eps=float(epsilon))


@operator("layer_norm")
def layer_norm(
    x: torch.Tensor,
    axes: Sequence[int] | None = None,
    gamma: torch.Tensor | None = None,
    beta: torch.Tensor | None = None,
    epsilon: float = 1e-5,
) -> torch.Tensor:
    """``gamma * (x - E[x]) / sqrt(Var[x] + epsilon) + beta``; gamma and beta have the shape of the named axes."""
    axes = sorted(axis % x.ndim for axis in (range(x.ndim) if axes is None else axes))
    variance, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
    normal = (x - mean) / torch.sqrt(variance + float(epsilon))
    shape = [size if axis in axes else 1 for axis, size in enumerate(x.shape)]
    for apply, parameter in ((torch.mul, gamma), (torch.add, beta)):
        normal = normal if parameter is None else apply(normal, parameter.reshape(shape))
    return normal


@operator("linear")
def linear(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    return F.linear(x, weight, bias)


@operator("matmul")
def matmul(x: torch.Tensor, y: torch.Tensor, transpose_x: bool = False, transpose_y: bool = False) -> torch.Tensor:
    return torch.matmul(x.mT if transpose_x else x, y.mT if transpose_y else y)


@operator("reduce_mean")
def reduce_mean(x: torch.Tensor, axes: Sequence[int] | None = None, keep_dims: bool = False) -> torch.Tensor:
    return x.mean(tuple(axes) if axes else tuple(range(x.ndim)), keepdim=keep_dims)


@operator("reduce_sum")
def reduce_sum(x: torch.Tensor, axes: Sequence[int] | None = None, keep_dims: bool = False) -> torch.Tensor:
    return x.sum(tuple(axes) if axes else tuple(range(x.ndim)), keepdim=keep_dims)
