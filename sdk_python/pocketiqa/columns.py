"""Scores as columns beside a column of images: what ``datasets.Dataset.map`` and other tables by batches take.

scored = dataset.map(ScoreColumns(), batched=True, batch_size=64)
scored.sort("score")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pocketiqa.bundle import Bundle
from pocketiqa.errors import PhotoError, one_line
from pocketiqa.scorer import Scorer


class ScoreColumns:
    """From a batch of columns to the columns ``score``, the attributes and ``error``, a row a photo.

    It can be pickled, so ``map`` may run it in several processes.

    Args:
        image: the column of the photos: PIL images, paths, encoded bytes, uint8 arrays H×W×3, or ``{"bytes", "path"}``
            as Hugging Face's undecoded images are.
        bundle, variant: as ``Scorer`` takes them.

    Raises:
        BundleError: no such bundle or variant.
        RuntimeUnavailable: no runtime is installed, or it cannot load the program.
    """

    def __init__(self, image: str = "image", bundle: str | Path | Bundle | None = None, variant: str = "int8") -> None:
        self.image = image
        self.scorer = Scorer(bundle, variant)

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
        """The new columns; a photo that cannot be scored has None and an ``error``.

        Raises:
            PhotoError: the batch has no column of that name.
        """
        if self.image not in batch:
            raise PhotoError(f"the batch has no column {self.image!r}; it has {', '.join(batch)}: name one with image=")
        results = list(self.scorer.batch(map(_photo_of, batch[self.image])))
        columns: dict[str, list[Any]] = {"score": [result.score for result in results]}
        for name in self.scorer.attribute_names:
            columns[name] = [result.attributes.get(name) for result in results]
        return columns | {"error": [result.error and one_line(result.error) for result in results]}


def _photo_of(cell: Any) -> Any:
    if isinstance(cell, Mapping) and {"bytes", "path"} <= set(cell):
        return cell["path"] if cell["bytes"] is None else cell["bytes"]
    return cell
