"""The line ``a·x + b`` that a tensor's values lie on against the right ones: [0, 1], 0–255, or a mean and a deviation
that were applied already."""

from __future__ import annotations

import numpy as np

_IMAGENET = (np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225]))
_HALF = (np.full(3, 0.5), np.full(3, 0.5))
_ON_A_LINE = 0.02  # share of the variance that a line leaves, below which nothing else was mistaken


def fit_line(pixels: np.ndarray, expected: np.ndarray, stride: int = 1) -> tuple[float, np.ndarray, np.ndarray]:
    """Share of the variance that ``pixels = slope·expected + offset`` leaves, and that line for each channel, of the
    view in which it leaves least: another may have been cut or resized so wrongly that it resembles nothing.

    Args:
        pixels, expected: V×3×H×W.
        stride: every how many-th pixel is looked at, in both directions.
    """
    lines = (_line(*(view[:, ::stride, ::stride].reshape(3, -1) for view in pair)) for pair in zip(pixels, expected))
    return min(lines, key=lambda line: line[0])


def _line(y: np.ndarray, x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """As :func:`fit_line`, of one view's values, 3×n."""
    mean_x, mean_y = x.mean(1, keepdims=True), y.mean(1, keepdims=True)
    variance = ((x - mean_x) ** 2).mean(1) + 1e-9
    slope = ((x - mean_x) * (y - mean_y)).mean(1) / variance
    offset = mean_y[:, 0] - slope * mean_x[:, 0]
    rest = ((y - slope[:, None] * x - offset[:, None]) ** 2).mean(1)
    if (slope <= 0).any():
        return 1.0, slope, offset
    return float((rest / ((y - mean_y) ** 2).mean(1).clip(1e-9)).mean()), slope, offset


def range_mistakes(slope: np.ndarray, offset: np.ndarray, left: float) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The mistake whose line is nearest to the one found, if one is near, and that line; none for [0, 1].

    Args:
        slope, offset: of the line found, one for each channel.
        left: share of the variance that it leaves.
    """
    zero, one = np.zeros(3), np.ones(3)
    lines = {"": (one, zero), "0–255, where [0, 1] belongs: divide by 255": (255 * one, zero)}
    for name, (mean, deviation) in {"0.5": _HALF, "ImageNet's": _IMAGENET}.items():
        applied = f"mean {name} and deviation already applied"
        once = (1 / deviation, -mean / deviation)
        lines[f"{applied}: the program does that itself, so it happens twice"] = once
        lines[f"{applied}, and twice: the program does it once more"] = (once[0] ** 2, once[1] * once[0] + once[1])
        lines[f"{applied} to 0–255: divide by 255, and leave the rest to the program"] = (255 * once[0], once[1])
    distances = {
        words: max(np.abs(slope - a).max(), np.abs(offset - b).max()) / a.max() for words, (a, b) in lines.items()
    }
    nearest = min(distances, key=distances.get)
    # A tensor that was also resized in another way does not lie on any line exactly.
    if distances[nearest] < (0.06 if left < _ON_A_LINE else 0.4):
        return [nearest] if nearest else [], *lines[nearest]
    words = f"another range: values are about {slope.mean():.3g}·x {offset.mean():+.3g} of the right ones"
    return [words], slope, offset
