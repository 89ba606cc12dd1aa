"""Quantization of activations, and the ``constexpr`` operators that compressed weights are made of.

Formulas: the operator reference in coremltools, ``iOS16/constexpr_ops``, ``iOS17/quantization_ops`` and
``iOS18/compression``.
"""

from __future__ import annotations

import math

import torch

from mobile_export.verify.mil_reference.package import unpack_bits
from mobile_export.verify.mil_reference.registry import operator

_RANGES = {"int8": (torch.int8, -128, 127), "uint8": (torch.uint8, 0, 255)}


def _along(parameter: torch.Tensor, rank: int, axis: int | None) -> torch.Tensor:
    """A scalar, or a vector turned so that it broadcasts along ``axis`` of a tensor of that rank; float32."""
    parameter = parameter.float()
    if parameter.ndim == 0 or axis is None:
        return parameter
    shape = [1] * rank
    shape[axis] = -1
    return parameter.reshape(shape)


@operator("quantize")
def quantize(
    input: torch.Tensor,
    scale: torch.Tensor,
    output_dtype: str,
    zero_point: torch.Tensor | None = None,
    axis: int | None = None,
) -> torch.Tensor:
    """``clip(round(input / scale) + zero_point)``, ties to the even integer."""
    dtype, low, high = _RANGES[output_dtype]
    levels = torch.round(input / _along(scale, input.ndim, axis))
    if zero_point is not None:
        levels = levels + _along(zero_point, input.ndim, axis)
    return levels.clamp(low, high).to(dtype)


@operator("dequantize")
def dequantize(
    input: torch.Tensor,
    scale: torch.Tensor,
    zero_point: torch.Tensor | None = None,
    axis: int | None = None,
) -> torch.Tensor:
    """``scale * (input - zero_point)``."""
    levels = input.float()
    if zero_point is not None:
        levels = levels - _along(zero_point, input.ndim, axis)
    return levels * _along(scale, input.ndim, axis)


@operator("constexpr_affine_dequantize")
def affine_dequantize(
    quantized_data: torch.Tensor, zero_point: torch.Tensor, scale: torch.Tensor, axis: int
) -> torch.Tensor:
    """iOS 16's compressed weights: ``scale * (quantized_data - zero_point)``, along ``axis``."""
    return dequantize(quantized_data, scale, zero_point, axis)


@operator("constexpr_blockwise_shift_scale")
def blockwise_shift_scale(
    data: torch.Tensor, scale: torch.Tensor, offset: torch.Tensor | None = None
) -> torch.Tensor:
    """iOS 18's compressed weights: ``scale * (data - offset)``; a block shares one scale and one offset."""
    levels = data.float()
    if offset is not None:
        levels = levels - _stretch(offset.float(), data.shape)
    return levels * _stretch(scale.float(), data.shape)


@operator("constexpr_lut_to_dense")
def lut_to_dense(
    indices: torch.Tensor,
    lut: torch.Tensor,
    shape: torch.Tensor | None = None,
    vector_axis: int | None = None,
) -> torch.Tensor:
    """Palettized weights: table entries picked by index.

    iOS 16's form gives ``shape``, one table and the indices packed into bytes. iOS 18's form gives indices
    in the weight's shape and a table ``[groups along each axis…, entries, vector size]``.
    """
    if shape is not None:
        shape = shape.tolist()
        bits = int(math.log2(lut.numel()))
        unpacked = unpack_bits(indices.numpy(), bits, math.prod(shape))
        return lut.float()[torch.from_numpy(unpacked).long()].reshape(shape)
    rank, (entries, vector) = indices.ndim, lut.shape[-2:]
    tables = _stretch(lut.float(), (*indices.shape, entries, vector))
    picked = indices.long()[..., None, None].expand(*indices.shape, 1, vector)
    dense = torch.gather(tables, rank, picked).squeeze(rank)  # indices' shape, then the vector
    if vector == 1:
        return dense.squeeze(-1)
    axis = vector_axis % rank
    return dense.movedim(-1, axis + 1).flatten(axis, axis + 1)


def _stretch(parameter: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Repeat every element over its block, so that the result has ``shape``."""
    for axis, size in enumerate(shape):
        if parameter.shape[axis] == 1:
            continue
        parameter = parameter.repeat_interleave(size // parameter.shape[axis], axis)
    return parameter.expand(shape)
