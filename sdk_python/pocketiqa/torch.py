"""The score as a torch metric, for training loops and for code that expects pyiqa's or torchmetrics' interface.

    quality = PhotoQuality()
    quality(images)                  # N×3×H×W in [0, 1] → float32 N; also a path, or several
    quality.update(images); quality.compute(); quality.reset()      # the mean over all that came

The bundle's own program scores, on the CPU, so the scores are those of the phone. They have no gradient. This module
alone needs torch.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch

from pocketiqa.bundle import Bundle
from pocketiqa.errors import BundleError, PhotoError
from pocketiqa.scorer import Scorer

Images = torch.Tensor | str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


class PhotoQuality(torch.nn.Module):
    """Scores of photos, and their mean.

    Args:
        bundle, variant: as ``Scorer`` takes them.
        output: ``score``, or the name of an attribute.

    Attributes:
        lower_better, score_range: as pyiqa's metrics have them.
        higher_is_better, is_differentiable, full_state_update: as torchmetrics' have them.

    Raises:
        BundleError: no such bundle, variant or output.
        RuntimeUnavailable: no runtime is installed, or it cannot load the program.
    """

    lower_better, higher_is_better = False, True
    is_differentiable = full_state_update = False
    score_range = "0, 1"

    def __init__(self, bundle: str | Path | Bundle | None = None, variant: str = "int8", output: str = "score") -> None:
        super().__init__()
        self.scorer = Scorer(bundle, variant)
        names = ("score", *self.scorer.attribute_names)
        if output not in names:
            raise BundleError(f"no output {output!r}; the bundle gives {', '.join(names)}")
        self.output = output
        self.reset()

    def forward(self, images: Images) -> torch.Tensor:
        """Scores, float32 N on the images' device.

        Args:
            images: float N×3×H×W or 3×H×W in [0, 1] and RGB, or uint8; or the path of a photo, or a list of paths.

        Raises:
            PhotoError: another shape or type, values outside [0, 1], or a photo that cannot be scored.
        """
        results = [self.scorer(photo) for photo in _photos(images)]
        values = [result.score if self.output == "score" else result.attributes[self.output] for result in results]
        return torch.tensor(values, device=images.device if isinstance(images, torch.Tensor) else None)

    def update(self, images: Images) -> None:
        """Take more images into the mean; arguments and errors as ``forward``."""
        values = self(images).double()
        self._total += float(values.sum())
        self._count += len(values)

    def compute(self) -> torch.Tensor:
        """The mean score of all images since the last ``reset``, float32; NaN where there were none."""
        return torch.tensor(self._total / self._count if self._count else float("nan"))

    def reset(self) -> None:
        """Forget all images."""
        self._total, self._count = 0.0, 0


def _photos(images: Images) -> Iterable[np.ndarray | str | os.PathLike[str]]:
    if isinstance(images, (str, os.PathLike)):
        return [images]
    if not isinstance(images, torch.Tensor):
        return images
    batch = images.detach()[None] if images.ndim == 3 else images.detach()
    if batch.ndim != 4 or batch.shape[1] != 3:
        raise PhotoError(f"images of shape {tuple(images.shape)}; give N×3×H×W or 3×H×W, in RGB order")
    if batch.dtype != torch.uint8:
        if not batch.is_floating_point():
            raise PhotoError(f"images of {batch.dtype}; give float in [0, 1], or uint8")
        if not bool(((batch >= 0) & (batch <= 1)).all()):
            low, high = float(batch.min()), float(batch.max())
            raise PhotoError(f"images with values from {low:g} to {high:g}; give float in [0, 1], or uint8")
        batch = (batch.float() * 255).round().to(torch.uint8)
    return batch.permute(0, 2, 3, 1).contiguous().cpu().numpy()
