"""Operators that only move, pick or convert elements.

Formulas: the operator reference in coremltools, ``iOS15/tensor_transformation``, ``tensor_operation``,
``elementwise_unary`` for ``cast``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from mobile_export.verify.mil_reference.errors import MilError
from mobile_export.verify.mil_reference.registry import operator

_CASTS = {
    # Both floats are held in float32; the program rounds to float16 where it was asked to.
    "fp16": torch.float32,
    "fp32": torch.float32,
    "int32": torch.int32,
    "bool": torch.bool,
}


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


@operator("split")
def split(
    x: torch.Tensor,
    output: int,
    axis: int,
    num_splits: int | None = None,
    split_sizes: Sequence[int] | None = None,
) -> torch.Tensor:
    """The ``output``-th of the equal parts along ``axis``, or of the parts of ``split_sizes``."""
    sizes = split_sizes or [x.shape[axis] // num_splits] * num_splits
    return x.split(list(sizes), axis)[output]


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
