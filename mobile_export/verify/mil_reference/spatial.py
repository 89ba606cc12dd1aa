"""Operators that look at a neighbourhood: convolution, pooling, padding, upsampling.

Formulas: the operator reference in coremltools, ``iOS15/conv``, ``pool``, ``tensor_operation``,
``image_resizing``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from mobile_export.verify.mil_reference.errors import MilError
from mobile_export.verify.mil_reference.registry import operator

_CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_AVERAGES = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
_MAXIMA = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_PAD_MODES = ("constant", "reflect", "replicate")


def _borders(
    pad_type: str,
    pad: Sequence[int] | None,
    sizes: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
) -> list[tuple[int, int]]:
    """Elements to add before and after each spatial axis."""
    if pad_type == "valid":
        return [(0, 0)] * len(sizes)
    if pad_type == "custom":
        pad = pad or [0] * 2 * len(sizes)
        return [(pad[2 * axis], pad[2 * axis + 1]) for axis in range(len(sizes))]
    if pad_type not in ("same", "same_lower"):
        raise MilError(f"pad_type {pad_type!r} is not one of valid, custom, same, same_lower")
    borders = []
    for size, width, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        steps = -(-size // stride)
        total = max((steps - 1) * stride + (width - 1) * dilation + 1 - size, 0)
        small, large = total // 2, total - total // 2
        borders.append((small, large) if pad_type == "same" else (large, small))
    return borders


def _extend(x: torch.Tensor, borders: Sequence[tuple[int, int]], value: float = 0.0) -> torch.Tensor:
    """Pad the last axes; torch wants the last axis first."""
    if not any(before or after for before, after in borders):
        return x
    return F.pad(x, [count for border in reversed(borders) for count in border], value=value)


@operator("conv")
def conv(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    strides: Sequence[int] | None = None,
    pad_type: str = "valid",
    pad: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    groups: int = 1,
) -> torch.Tensor:
    rank = x.ndim - 2
    strides, dilations = strides or [1] * rank, dilations or [1] * rank
    borders = _borders(pad_type, pad, x.shape[2:], weight.shape[2:], strides, dilations)
    convolve = _CONVOLUTIONS[rank]
    if all(before == after for before, after in borders):
        symmetric = [before for before, _ in borders]
        return convolve(x, weight, bias, strides, symmetric, dilations, groups)
    return convolve(_extend(x, borders), weight, bias, strides, 0, dilations, groups)


@operator("avg_pool")
def avg_pool(
    x: torch.Tensor,
    kernel_sizes: Sequence[int],
    strides: Sequence[int] | None = None,
    pad_type: str = "valid",
    pad: Sequence[int] | None = None,
    exclude_padding_from_average: bool = False,
    ceil_mode: bool = False,
) -> torch.Tensor:
    rank = len(kernel_sizes)
    strides = strides or [1] * rank
    average = _AVERAGES[rank]
    borders = _borders(pad_type, pad, x.shape[2:], kernel_sizes, strides, [1] * rank)
    if all(before == after for before, after in borders):
        symmetric = [before for before, _ in borders]
        return average(x, kernel_sizes, strides, symmetric, ceil_mode, not exclude_padding_from_average)
    pooled = average(_extend(x, borders), kernel_sizes, strides)
    if exclude_padding_from_average:
        pooled = pooled / average(_extend(torch.ones_like(x), borders), kernel_sizes, strides)
    return pooled


@operator("max_pool")
def max_pool(
    x: torch.Tensor,
    kernel_sizes: Sequence[int],
    strides: Sequence[int] | None = None,
    pad_type: str = "valid",
    pad: Sequence[int] | None = None,
    ceil_mode: bool = False,
) -> torch.Tensor:
    rank = len(kernel_sizes)
    strides = strides or [1] * rank
    borders = _borders(pad_type, pad, x.shape[2:], kernel_sizes, strides, [1] * rank)
    extended = _extend(x, borders, value=float("-inf"))
    return _MAXIMA[rank](extended, kernel_sizes, strides, ceil_mode=ceil_mode)


@operator("pad")
def pad(
    x: torch.Tensor,
    pad: Sequence[int],
    mode: str = "constant",
    constant_val: torch.Tensor | None = None,
) -> torch.Tensor:
    if mode not in _PAD_MODES:
        raise MilError(f"pad mode {mode!r} is not one of {', '.join(_PAD_MODES)}")
    borders = list(zip(pad[::2], pad[1::2]))
    if mode == "constant":
        return _extend(x, borders, 0.0 if constant_val is None else float(constant_val))
    # torch reflects and replicates trailing axes of a batch only, so axes that stay as they are go in front.
    while borders and borders[0] == (0, 0):
        borders.pop(0)
    batch = x.reshape(1, 1, *x.shape[x.ndim - len(borders) :]) if len(borders) == x.ndim else None
    flat = batch if batch is not None else x.reshape(1, -1, *x.shape[x.ndim - len(borders) :])
    padded = F.pad(flat, [count for border in reversed(borders) for count in border], mode=mode)
    return padded.reshape(*x.shape[: x.ndim - len(borders)], *padded.shape[2:])


@operator("upsample_nearest_neighbor")
def upsample_nearest_neighbor(
    x: torch.Tensor, scale_factor_height: float = 1, scale_factor_width: float = 1
) -> torch.Tensor:
    return _upsample(x, scale_factor_height, scale_factor_width, mode="nearest")


@operator("upsample_bilinear")
def upsample_bilinear(
    x: torch.Tensor,
    scale_factor_height: float = 1,
    scale_factor_width: float = 1,
    align_corners: bool = True,
    half_pixel_centers: bool | None = None,
) -> torch.Tensor:
    if half_pixel_centers is not None and half_pixel_centers == align_corners:
        raise MilError(
            f"upsample_bilinear with align_corners={align_corners}, half_pixel_centers={half_pixel_centers} "
            "samples a grid that torch does not have; exactly one of them may be true"
        )
    return _upsample(x, scale_factor_height, scale_factor_width, mode="bilinear", align_corners=align_corners)


def _upsample(x: torch.Tensor, vertical: float, horizontal: float, **how: object) -> torch.Tensor:
    size = (int(x.shape[-2] * float(vertical)), int(x.shape[-1] * float(horizontal)))
    four = x.reshape(1, -1, *x.shape[-2:])
    return F.interpolate(four, size=size, **how).reshape(*x.shape[:-2], *size)
