"""A program's layers beside the operators that XNNPACK timed.

The two lists are in one order, but not of one length: XNNPACK merges paddings and clamps into a convolution's operator,
and runs a few operators that no layer asks for. What has no partner is kept and named.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher

from benchmarks.roofline.layers import Layer

# What XNNPACK calls the operators of a layer whose own name differs from theirs.
_KINDS = {
    "Conv2d": "product", "FullyConnected": "product", "DepthwiseConv2d": "depthwise", "GlobalAvgPooling2d": "mean",
    "AvgPooling2d": "averagepooling", "Div": "divide", "StaticConstantPad": "constantpad", "StaticReshape": "reshape",
    "StaticTranspose": "transpose", "StaticSlice": "slice",
}  # fmt: skip
_OPERATORS = {
    r"Convolution .*DWConv": "depthwise", r"(Convolution|Fully Connected)\b.*": "product", r"Copy\b.*": "concatenate",
    r"Static Reshape\b.*": "reshape", r"Square\b.*": "multiply",
}  # fmt: skip


def joined(layers: list[Layer], operators: list[str]) -> list[tuple[Layer | None, str | None]]:
    """Every layer and every operator once, in order; a pair where one is the other.

    Args:
        operators: as XNNPACK names them, with or without their number.
    """
    wanted, timed = [_kind(layer) for layer in layers], [_operator(name) for name in operators]
    pairs: list[tuple[Layer | None, str | None]] = []
    for what, i, i_end, j, j_end in SequenceMatcher(None, wanted, timed, autojunk=False).get_opcodes():
        if what == "equal":
            pairs += zip(layers[i:i_end], operators[j:j_end])
        else:
            pairs += [(layer, None) for layer in layers[i:i_end]]
            pairs += [(None, name) for name in operators[j:j_end]]
    return pairs


def _kind(layer: Layer) -> str:
    return _KINDS.get(layer.kind) or re.sub(r"\d+d?$", "", layer.kind).lower()


def _operator(name: str) -> str:
    for pattern, kind in _OPERATORS.items():
        if re.match(pattern, name):
            return kind
    return re.match(r"[^(#]*", name)[0].replace(" ", "").lower()
