"""Quantization of activations, and the ``constexpr`` operator that int8 weights are made of.

Formulas: the operator reference in coremltools, ``iOS16/constexpr_ops`` and ``iOS17/quantization_ops``.
"""

from __future__ import annotations

import torch

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
    """Int8 weights: ``scale * (quantized_data - zero_point)``, along ``axis``."""
    return dequantize(quantized_data, scale, zero_point, axis)
