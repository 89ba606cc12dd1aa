"""CLIP's block statistics from the int8 file as the package carries it, in ONNX Runtime.

A processor multiplies int8 faster than float32. The statistics are not the float tower's, since activations are rounded
too, for each view by itself: what is fitted to one kind is not asked about the other.
"""

from __future__ import annotations

import hashlib

import numpy as np
import onnx
import torch

from distill.teacher.clip_features import CLIP_INPUT, READ_BLOCKS, normalized, token_statistics
from distill.teacher.clip_tower import BLOCKS, SHA256, packaged_weights

_ERRORS_ALONE = 3  # of ONNX Runtime's log levels


class Int8ClipFeatures:
    """CLIP's statistics as the feature cache takes them.

    Attributes:
        input: how a photo becomes the views.
        fingerprint: of the file, the blocks and the input.
    """

    input = CLIP_INPUT

    def __init__(self) -> None:
        # Here: every command of this room would wait for it, and a machine that trains need not have it.
        import onnxruntime

        model = onnx.load(str(packaged_weights()))
        self._tokens = [_tokens(block) for block in READ_BLOCKS]
        del model.graph.output[:]
        for name in self._tokens:
            model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ALONE
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        recipe = repr((SHA256, READ_BLOCKS, self.input.to_dict(), "int8"))
        self.fingerprint = hashlib.sha256(recipe.encode()).hexdigest()

    def __call__(self, views: np.ndarray) -> np.ndarray:
        """Float32 V·width statistics of one photo's views, float32 V×3×224×224 in [0, 1]."""
        return np.concatenate([self._of_view(view) for view in normalized(torch.from_numpy(views)).numpy()])

    def _of_view(self, view: np.ndarray) -> np.ndarray:
        # One at a time: the file rounds activations by the largest one of all that it is given at once.
        read = self._session.run(self._tokens, {"pixel_values": view[None]})
        return torch.cat([part for tokens in read for part in token_statistics(torch.from_numpy(tokens))], 1)[0].numpy()


def _tokens(block: int) -> str:
    """What the file calls the tokens behind a block; the first is 1."""
    return "onnx::Gather_1524" if block == BLOCKS else f"/vision_model/encoder/layers.{block - 1}/Add_1_output_0"
