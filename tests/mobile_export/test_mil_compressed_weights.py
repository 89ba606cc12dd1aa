from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mil_package import IOS17, IOS18, ct, mb, normal, outcome, package

from mobile_export.verify.mil_reference.package import unpack_bits


def test_packed_bits_come_back_in_order() -> None:
    # The example in coremltools' description of constexpr_lut_to_dense.
    assert unpack_bits(np.array([0b01101100, 0b11], np.uint8), 2, 5).tolist() == [0, 3, 2, 1, 3]


def constexpr_affine() -> tuple[object, Callable, np.ndarray]:
    data = np.arange(-12, 12, dtype=np.int8).reshape(2, 3, 4)
    scale, zero = np.array([0.5, 2, 0.25], np.float32), np.array([1, -2, 100], np.int8)
    dense = (data.astype(np.float32) - zero.astype(np.float32)[None, :, None]) * scale[None, :, None]
    return (
        IOS17,
        lambda: mb.constexpr_affine_dequantize(quantized_data=data, zero_point=zero, scale=scale, axis=1),
        dense,
    )


def constexpr_table(bits: int) -> tuple[object, Callable, np.ndarray]:
    table = normal(2**bits)
    indices = np.random.default_rng(1).integers(0, 2**bits, (3, 7)).astype(np.uint8)
    stream = np.unpackbits(indices.reshape(-1, 1), axis=1, bitorder="little", count=bits)
    packed = np.packbits(stream.reshape(-1), bitorder="little")
    return (
        IOS17,
        lambda: mb.constexpr_lut_to_dense(indices=packed, lut=table, shape=np.array([3, 7], np.uint32)),
        table[indices],
    )


def constexpr_grouped_table(bits: int) -> tuple[object, Callable, np.ndarray]:
    dtype = ct.converters.mil.mil.types.string_to_builtin(f"uint{bits}")
    table = normal(2, 1, 2**bits, 1)
    indices = np.random.default_rng(1).integers(0, 2**bits, (4, 7)).astype(np.uint8)
    numpy_type = ct.converters.mil.mil.types.nptype_from_builtin(dtype)
    dense = np.stack([table[row // 2, 0, indices[row], 0] for row in range(4)])
    return IOS18, lambda: mb.constexpr_lut_to_dense(indices=indices.astype(numpy_type), lut=table), dense


def constexpr_vector_table() -> tuple[object, Callable, np.ndarray]:
    types = ct.converters.mil.mil.types
    table = normal(1, 1, 4, 3)
    indices = np.random.default_rng(1).integers(0, 4, (4, 7)).astype(np.uint8)
    dense = np.concatenate([table[0, 0, indices[:, column]] for column in range(7)], axis=1)
    small = indices.astype(types.nptype_from_builtin(types.uint2))
    return IOS18, lambda: mb.constexpr_lut_to_dense(indices=small, lut=table, vector_axis=1), dense


def constexpr_blocks() -> tuple[object, Callable, np.ndarray]:
    types = ct.converters.mil.mil.types
    int4 = types.nptype_from_builtin(types.int4)
    data = (np.arange(24).reshape(4, 6) % 16 - 8).astype(np.int8)
    scale, offset = normal(2, 3), np.arange(-3, 3, dtype=np.int8).reshape(2, 3)
    dense = (data - offset.repeat(2, 0).repeat(2, 1)) * scale.repeat(2, 0).repeat(2, 1)
    return (
        IOS18,
        lambda: mb.constexpr_blockwise_shift_scale(
            data=data.astype(int4), scale=scale, offset=offset.astype(int4)
        ),
        dense,
    )


@pytest.mark.parametrize(
    ("target", "compressed", "dense"),
    [
        pytest.param(*constexpr_affine(), id="affine"),
        *[pytest.param(*constexpr_table(bits), id=f"table of {bits} bits") for bits in (1, 2, 4, 6, 8)],
        *[pytest.param(*constexpr_grouped_table(bits), id=f"grouped {bits} bits") for bits in (3, 4, 6, 8)],
        pytest.param(*constexpr_vector_table(), id="table of vectors"),
        pytest.param(*constexpr_blocks(), id="blocks of 4 bits"),
    ],
)
def test_compressed_weights_unfold_to_what_they_stand_for(
    target: object, compressed: Callable, dense: np.ndarray, tmp_path: Path
) -> None:
    path = package(tmp_path, dense.shape, lambda x: mb.add(x=x, y=compressed()), target)
    assert b"constexpr_" in (path / "Data/com.apple.CoreML/model.mlmodel").read_bytes()
    np.testing.assert_allclose(outcome(path, np.zeros(dense.shape, np.float32)), dense, atol=1e-6)
