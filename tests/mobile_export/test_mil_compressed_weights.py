"""Int8 weights unfold to what they stand for."""

from pathlib import Path

import numpy as np
from mil_package import mb, outcome, package


def test_int8_weights_unfold_to_what_they_stand_for(tmp_path: Path) -> None:
    data = np.arange(-12, 12, dtype=np.int8).reshape(2, 3, 4)
    scale, zero = np.array([0.5, 2, 0.25], np.float32), np.array([1, -2, 100], np.int8)
    dense = (data.astype(np.float32) - zero.astype(np.float32)[None, :, None]) * scale[None, :, None]

    def body(x):
        weights = mb.constexpr_affine_dequantize(quantized_data=data, zero_point=zero, scale=scale, axis=1)
        return mb.add(x=x, y=weights)

    path = package(tmp_path, dense.shape, body)
    assert b"constexpr_" in (path / "Data/com.apple.CoreML/model.mlmodel").read_bytes()
    np.testing.assert_allclose(outcome(path, np.zeros(dense.shape, np.float32)), dense, atol=1e-6)
