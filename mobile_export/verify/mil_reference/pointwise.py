"""Arithmetic, activations, reductions, products, and the operators that only move elements.

Formulas: the operator reference in coremltools, ``iOS15/activation``, ``elementwise_binary``, ``reduction``,
``linear``, ``normalization``, ``tensor_transformation``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from mobile_export.verify.mil_reference.errors import MilError
from mobile_export.verify.mil_reference.registry import operator

_CASTS = {
    # Both floats are held in float32; the program rounds to float16 where it was asked to.
    "fp16": torch.float32,
    "fp32": torch.float32,
    "int32": torch.int32,
    "bool": torch.bool,
}


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


@operator("abs")
def absolute(x: torch.Tensor) -> torch.Tensor:
    return x.abs()


@operator("softmax")
def softmax(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
    return torch.softmax(x, axis)


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


@operator("linear")
def linear(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    return F.linear(x, weight, bias)


@operator("matmul")
def matmul(
    x: torch.Tensor, y: torch.Tensor, transpose_x: bool = False, transpose_y: bool = False
) -> torch.Tensor:
    return torch.matmul(x.mT if transpose_x else x, y.mT if transpose_y else y)


@operator("reduce_mean")
def reduce_mean(x: torch.Tensor, axes: Sequence[int] | None = None, keep_dims: bool = False) -> torch.Tensor:
    return x.mean(tuple(axes) if axes else tuple(range(x.ndim)), keepdim=keep_dims)


@operator("reduce_sum")
def reduce_sum(x: torch.Tensor, axes: Sequence[int] | None = None, keep_dims: bool = False) -> torch.Tensor:
    return x.sum(tuple(axes) if axes else tuple(range(x.ndim)), keepdim=keep_dims)


@operator("reshape")
def reshape(x: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    # A zero keeps the size that the input has there.
    return x.reshape([x.shape[axis] if size == 0 else size for axis, size in enumerate(shape)])


@operator("transpose")
def transpose(x: torch.Tensor, perm: Sequence[int]) -> torch.Tensor:
    return x.permute(perm)


@operator("squeeze")
def squeeze(x: torch.Tensor, axes: Sequence[int] | None = None) -> torch.Tensor:
    return x.squeeze() if axes is None else x.squeeze(tuple(axes))


@operator("expand_dims")
def expand_dims(x: torch.Tensor, axes: Sequence[int]) -> torch.Tensor:
    rank = x.ndim + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


@operator("concat")
def concat(values: Sequence[torch.Tensor], axis: int, interleave: bool = False) -> torch.Tensor:
    if not interleave:
        return torch.cat(list(values), axis)
    return torch.stack(list(values), axis % values[0].ndim + 1).flatten(
        axis % values[0].ndim, axis % values[0].ndim + 1
    )


@operator("slice_by_index")
def slice_by_index(
    x: torch.Tensor,
    begin: Sequence[int],
    end: Sequence[int],
    stride: Sequence[int] | None = None,
    begin_mask: Sequence[bool] | None = None,
    end_mask: Sequence[bool] | None = None,
    squeeze_mask: Sequence[bool] | None = None,
) -> torch.Tensor:
    """``x[begin:end:stride]`` along every axis; a true mask leaves that border open, or picks one element."""
    none = [False] * x.ndim
    squeeze_mask = squeeze_mask or none
    for axis, (first, last, step, from_start, to_end, single) in enumerate(
        zip(begin, end, stride or [1] * x.ndim, begin_mask or none, end_mask or none, squeeze_mask)
    ):
        positions = range(x.shape[axis])
        borders = slice(None if from_start else first, None if to_end else last, step)
        picked = [positions[first]] if single else positions[borders]
        if single or step == 1:
            x = x.narrow(axis, picked[0], len(picked))
        else:  # torch's own slices have no negative steps
            x = x.index_select(axis, torch.tensor(picked))
    return x.squeeze(tuple(axis for axis, single in enumerate(squeeze_mask) if single))


@operator("identity")
def identity(x: torch.Tensor) -> torch.Tensor:
    return x


@operator("cast")
def cast(x: torch.Tensor, dtype: str) -> torch.Tensor:
    if dtype not in _CASTS:
        raise MilError(f"cast to {dtype!r} is not one of {', '.join(_CASTS)}")
    return x.to(_CASTS[dtype])
