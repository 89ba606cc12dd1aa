"""An app's tensor as a file."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from pocketiqa.errors import BundleError
from pocketiqa.files import read_regular_file
from pocketiqa.manifest import MAX_FILE_BYTES
from pocketiqa.preprocess import PreprocessSpec


def read_tensor(path: Path, spec: PreprocessSpec) -> np.ndarray:
    """An app's tensor: ``.npy``, or raw little-endian float32 (or uint8) values without any header.

    Raises:
        BundleError: unreadable, not numbers, not finite, or not as many values as the input has.
    """
    wanted = int(np.prod(spec.shape))
    content = read_regular_file(path, MAX_FILE_BYTES)
    try:
        if content[:6] == b"\x93NUMPY":
            values = np.load(io.BytesIO(content), allow_pickle=False)
        else:
            values = np.frombuffer(content, np.uint8 if len(content) == wanted else "<f4")
    except (ValueError, MemoryError) as error:
        raise BundleError(f"{path} is neither a .npy file nor raw float32 values: {error}") from None
    if values.size != wanted or values.dtype.kind not in "fiu":
        raise BundleError(
            f"{path} holds {values.dtype} of shape {list(values.shape)}; the input is float32 of shape "
            f"{list(spec.shape)}, {wanted} values: {_views(spec)} of one photo"
        )
    if not np.isfinite(values.astype(np.float32)).all():
        raise BundleError(f"{path} holds NaN or infinite values; the input's are in [0, 1]")
    return values


def _views(spec: PreprocessSpec) -> str:
    return f"{len(spec.views)} view{'s' * (len(spec.views) > 1)} ({', '.join(spec.views)})"
