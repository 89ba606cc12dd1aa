"""How a tensor's values lie in memory: the orders of axes, channels, views and pixels that apps mistake."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from pocketiqa.preprocess import PreprocessSpec


@dataclass(frozen=True)
class Arrangement:
    """How a tensor lies in memory, against V×3×H×W in RGB; the words name what was mistaken."""

    words: tuple[str, ...]
    pixels: np.ndarray


def arrangements(tensor: np.ndarray, spec: PreprocessSpec) -> list[Arrangement]:
    """Every order that the tensor's values may lie in, the right one first."""
    views, channels, height, width = spec.shape
    values = tensor.astype(np.float32)
    layouts = {"": values.reshape(spec.shape)}
    last = values.reshape(views, height, width, channels).transpose(0, 3, 1, 2)
    is_last = tensor.shape[-1] == channels
    layouts["channels-last: H×W×3 in memory, where 3×H×W belongs"] = last
    if is_last:
        del layouts[""]
    turns = {"": lambda x: x, "upside down": lambda x: x[:, :, ::-1], "mirrored": lambda x: x[..., ::-1]}
    if height == width:
        turns["rows and columns swapped"] = lambda x: x.swapaxes(2, 3)
    orders = {"": slice(None), "BGR, where RGB belongs": slice(None, None, -1)}
    swaps = {"": slice(None)}
    if views > 1:
        swaps[f"views swapped: their order is {', '.join(spec.views)}"] = slice(None, None, -1)
    return [
        Arrangement(tuple(filter(None, (layout, turn, order, swap))), turns[turn](pixels)[swaps[swap], orders[order]])
        for (layout, pixels), turn, order, swap in itertools.product(layouts.items(), turns, orders, swaps)
    ]
