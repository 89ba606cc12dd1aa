"""The README's picture: golden photos with what the embedded student says of them.

    python -m mobile_export gallery --out mobile_export/gallery.png
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from PIL import Image
from pocketiqa.files import atomic_file
from pocketiqa.scorer import Scorer

from mobile_export.bundle.golden import FOLDER

_ROWS = ("coffee", "flower", "chelsea")
_TREATMENTS = ("clean", "blurred", "noisy", "compressed")


@dataclass(frozen=True)
class Config:
    """Where the picture is written.

    Attributes:
        out: a PNG.
    """

    out: Path = Path("runs/gallery.png")


def run(config: Config) -> int:
    """Draw, and say where."""
    config.out.parent.mkdir(parents=True, exist_ok=True)
    draw_gallery(config.out)
    print(f"wrote {config.out}")
    return 0


def draw_gallery(out: Path) -> None:
    """Write a PNG: three photos in four states, each with its score and its weakest attribute."""
    scorer = Scorer()
    figure, axes = plt.subplots(len(_ROWS), len(_TREATMENTS), figsize=(11, 6.9), layout="constrained")
    for row, name in zip(axes, _ROWS):
        for axis, treatment in zip(row, _TREATMENTS):
            photo = FOLDER / f"{name}-{treatment}.jpg"
            result = scorer(photo)
            weakest = min(result.attributes, key=result.attributes.get)
            axis.imshow(Image.open(photo))
            axis.set_axis_off()
            axis.set_title(f"{result.score:.2f}   {weakest} {result.attributes[weakest]:.2f}", fontsize=12)
    with atomic_file(out, "wb") as file:
        figure.savefig(file, format="png", dpi=80)
