"""The README's picture: golden photos with what the embedded student says of them.

    python -m mobile_export.bundle.gallery
"""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from PIL import Image
from pocketiqa.scorer import Scorer

from mobile_export.bundle.golden import FOLDER

PICTURE = Path(__file__).parents[1] / "gallery.png"
_ROWS = ("coffee", "flower", "chelsea")
_TREATMENTS = ("clean", "blurred", "noisy", "compressed")


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
    figure.savefig(out, dpi=80)


if __name__ == "__main__":
    draw_gallery(PICTURE)
    print(f"wrote {PICTURE.name}")
