"""The report's pictures, each as a data URL, so that the page needs no other file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

_TREATMENTS = ("clean", "blurred", "noisy", "compressed")
_THUMBNAIL = (220, 220)


def scatter(before: np.ndarray, after: np.ndarray, names: Sequence[str]) -> str:
    """int8 scores over fp32 scores, n each; ``names`` of the photos say how each was treated."""
    figure, axis = plt.subplots(figsize=(4.6, 4.2), layout="constrained")
    low, high = min(before.min(), after.min()) - 0.03, max(before.max(), after.max()) + 0.03
    axis.plot([low, high], [low, high], color="0.6", linewidth=1)
    _by_treatment(axis, before, after, names)
    axis.set(xlabel="fp32 score", ylabel="int8 score", xlim=(low, high), ylim=(low, high), aspect="equal")
    axis.legend(frameon=False, fontsize=9)
    return _svg(figure)


def bland_altman(before: np.ndarray, after: np.ndarray, names: Sequence[str]) -> str:
    """The difference over the mean of the two scores, with the bias and the limits that hold 95 % of differences."""
    figure, axis = plt.subplots(figsize=(4.6, 4.2), layout="constrained")
    difference = after - before
    middle, spread = difference.mean(), 1.96 * difference.std(ddof=1)
    for level, style in ((middle, "-"), (middle - spread, "--"), (middle + spread, "--")):
        axis.axhline(level, color="0.5", linestyle=style, linewidth=1)
        axis.annotate(f"{level:+.4f}", (1, level), xycoords=("axes fraction", "data"), ha="right", va="bottom",
                      fontsize=9)  # fmt: skip
    axis.axhline(0, color="0.85", linewidth=1, zorder=0)
    _by_treatment(axis, (before + after) / 2, difference, names)
    axis.set(xlabel="mean of the two scores", ylabel="int8 − fp32")
    axis.margins(x=0.12)
    return _svg(figure)


def mapped(photo: Image.Image, quality_map: np.ndarray) -> str:
    """A photo under its map h×w of local quality, from red at 0.2 to green at 0.8."""
    figure, axis = plt.subplots(figsize=(3.2, 3.2 * photo.height / photo.width))
    axis.imshow(photo)
    extent = (0, photo.width, photo.height, 0)
    axis.imshow(quality_map, "RdYlGn", vmin=0.2, vmax=0.8, alpha=0.55, extent=extent, interpolation="bilinear")
    axis.set_axis_off()
    axis.set_position((0, 0, 1, 1))
    return _raster(figure)


def thumbnail(path: Path) -> str:
    """A small copy of a photo."""
    buffer = io.BytesIO()
    with Image.open(path) as photo:
        small = photo.convert("RGB")
        small.thumbnail(_THUMBNAIL)
        small.save(buffer, "JPEG", quality=85)
    return _data_url(buffer.getvalue(), "jpeg")


def _by_treatment(axis: plt.Axes, x: np.ndarray, y: np.ndarray, names: Sequence[str]) -> None:
    for treatment, marker in zip(_TREATMENTS, "o^sD"):
        chosen = [treatment in name for name in names]
        axis.scatter(x[chosen], y[chosen], s=26, marker=marker, label=treatment)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def _svg(figure: Figure) -> str:
    buffer = io.BytesIO()
    # Without a date and with fixed ids two builds draw the same bytes.
    with plt.rc_context({"svg.hashsalt": "pocketiqa"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    plt.close(figure)
    return _data_url(buffer.getvalue(), "svg+xml")


def _raster(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="jpg", dpi=100)
    plt.close(figure)
    return _data_url(buffer.getvalue(), "jpeg")


def _data_url(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
