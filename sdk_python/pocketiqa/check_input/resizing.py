"""Other ways to resize a photo than the manifest's, and a shift that is estimated from the picture's gradient
(Lucas and Kanade, "An iterative image registration technique", 1981)."""

from __future__ import annotations

import numpy as np
from PIL import Image

from pocketiqa.halving import halved
from pocketiqa.preprocess import RESAMPLING, PreprocessSpec, preprocess
from pocketiqa.promises import APP_INPUT_MAX, APP_INPUT_MEAN

_FEWEST_SHIFT = 0.15  # pixels; below it an estimated shift is an estimate's error
_SMOOTHED = 5  # pixels, the side of the squares that a shift is estimated on


def is_right(gap: np.ndarray) -> bool:
    """Whether |differences|, in [0, 1], are what another decoder and another rounding may cause."""
    return bool(gap.mean() <= APP_INPUT_MEAN / 255 and gap.max() <= APP_INPUT_MAX / 255)


def resizing_mistakes(rgb: Image.Image, pixels: np.ndarray, expected: np.ndarray, spec: PreprocessSpec) -> list[str]:
    """A line for each view of ``pixels``, V×3×H×W, that is not the right one: what it looks like was done to it.

    Args:
        rgb: the photo, not reduced.
    """
    mistakes = []
    reduced = halved(rgb, spec.enough)
    early = {"the whole photo": rgb, f"a picture of a short side of {min(reduced.size)}": reduced}
    from_early = {name: preprocess(picture, spec.of_tensor) for name, picture in early.items()}
    for number, (view, given, right) in enumerate(zip(spec.views, pixels, expected)):
        gap = np.abs(given - right)
        if is_right(gap):
            continue
        plain = float(gap.mean())
        shift, left = _shift(given, right)
        source = halved(reduced, spec.enough_for_whole) if view == "whole" else reduced
        others = _other_resizes(source, view, spec)
        for name, picture in early.items():
            if picture is not source:
                belongs = f"where one of a short side of {min(source.size)} comes first"
                others[f"made of {name}, {belongs}"] = from_early[name][number]
        rivals = {name: float(np.abs(given - other).mean()) for name, other in others.items()}
        if np.hypot(*shift) >= _FEWEST_SHIFT:
            rivals[
                f"shifted by {shift[0]:+.2f} pixels to the right and {shift[1]:+.2f} down: sample at pixel centres "
                "(x + 0.5), not at corners"
            ] = left * plain
        best = min(rivals, key=rivals.get)
        if rivals[best] < 0.6 * plain:
            mistakes.append(f"view {view}: {best}")
        else:
            mistakes.append(
                f"view {view}: mean |Δ| {plain * 255:.1f} levels, and no mistake that is known here; compare the "
                "decoder, colour profile and orientation"
            )
    return mistakes


def _shift(given: np.ndarray, right: np.ndarray) -> tuple[tuple[float, float], float]:
    """Displacement (x, y) in pixels of ``given`` against ``right``, both 3×H×W, and the share of the |difference| that
    it leaves. On smoothed pictures, in which a displacement of half a pixel follows the gradient."""
    if min(given.shape[1:]) < _SMOOTHED + 2:
        return (0.0, 0.0), 1.0  # too few pixels for a gradient
    given, right = _smooth(given), _smooth(right)
    down, across = np.gradient(right, axis=(1, 2))
    gradients = np.stack([across.ravel(), down.ravel()], axis=1)
    difference = (right - given).ravel()
    moved, *_ = np.linalg.lstsq(gradients, difference, rcond=None)
    left = np.abs(difference - gradients @ moved).mean() / (np.abs(difference).mean() + 1e-9)
    return (float(moved[0]), float(moved[1])), float(left)


def _smooth(picture: np.ndarray) -> np.ndarray:
    """Means over squares of ``_SMOOTHED`` pixels, where they lie wholly inside."""
    for axis in (1, 2):
        picture = np.lib.stride_tricks.sliding_window_view(picture, _SMOOTHED, axis=axis).mean(-1)
    return picture


def _other_resizes(rgb: Image.Image, view: str, spec: PreprocessSpec) -> dict[str, np.ndarray]:
    size = (spec.width, spec.height)
    if view == "detail":
        whole = (0.0, 0.0, *map(float, rgb.size))
        scale = max(min(1.0, spec.detail_short_side / min(rgb.size)), size[0] / rgb.width, size[1] / rgb.height)
        box = _centre_box(rgb, size[0] / scale, size[1] / scale)
        others = {"the whole photo, where a cut from its centre belongs": rgb.resize(size, box=whole)}
        if scale != 1 and min(rgb.size) >= max(size):
            native = _centre_box(rgb, *size)
            others[f"cut at native resolution, where a reduction to {spec.detail_short_side} comes first"] = rgb.resize(
                size, box=native
            )
    else:
        box = (0.0, 0.0, *map(float, rgb.size))
        short = min(rgb.width / size[0], rgb.height / size[1])
        others = {
            "cropped to the view's aspect ratio, where the whole photo is squeezed into it": rgb.resize(
                size, RESAMPLING[spec.resample], box=_centre_box(rgb, short * size[0], short * size[1])
            )
        }
    grid = ((box[2] - box[0]) / size[0], 0, box[0], 0, (box[3] - box[1]) / size[1], box[1])
    for name in ("NEAREST", "BILINEAR", "BICUBIC"):
        others[f"not antialiased ({name.lower()} on the photo's own pixels): widen the filter with the reduction"] = (
            rgb.transform(size, Image.Transform.AFFINE, grid, Image.Resampling[name])
        )
    for name, resampling in {**RESAMPLING, "box": Image.Resampling.BOX}.items():
        if name != spec.resample:
            others[f"resized with {name}, where {spec.resample} belongs"] = rgb.resize(size, resampling, box=box)
    return {name: np.asarray(image, np.float32).transpose(2, 0, 1) / 255 for name, image in others.items()}


def _centre_box(rgb: Image.Image, width: float, height: float) -> tuple[float, float, float, float]:
    width, height = min(width, rgb.width), min(height, rgb.height)
    left, top = (rgb.width - width) / 2, (rgb.height - height) / 2
    return (left, top, left + width, top + height)
