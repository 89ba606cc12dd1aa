"""Which part of a photo gave its score? The score's logit as a sum over the cells of the quality map.

    explanation = scorer("photo.jpg").explain()
    print(explanation)      # logit -0.86 (score 0.297): middle left takes most, -0.007; upper right adds most, +0.009

A network whose map is made of its score, as the shipped student's is, has the logit's mean over the cells as the
score's logit. So each cell's part is its logit divided by their number, and the parts add up to the score's logit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pocketiqa.errors import PocketiqaError

TOLERANCE = 1e-4  # the largest |sum of the parts − logit| of a map that is made of the score
_ROWS, _COLUMNS = ("upper", "middle", "lower"), ("left", "centre", "right")


@dataclass(frozen=True)
class Explanation:
    """What the cells of a photo added to its score.

    Attributes:
        score: in [0, 1]; ``logit`` is its logit.
        cells: float64 h×w, parts that add up to the logit within ``TOLERANCE``.
    """

    score: float
    cells: np.ndarray

    @property
    def logit(self) -> float:
        """The score's logit."""
        return float(_logit(np.array(self.score)))

    @property
    def regions(self) -> dict[str, float]:
        """Nine regions of the photo by name, and what each adds to the logit, or takes, against a photo that is even;
        together nothing."""
        against_even = self.cells - self.cells.mean()
        rows = np.array_split(against_even, len(_ROWS))
        parts = [[part.sum() for part in np.array_split(row, len(_COLUMNS), axis=1)] for row in rows]
        return {
            f"{row} {column}": float(parts[i][j]) for i, row in enumerate(_ROWS) for j, column in enumerate(_COLUMNS)
        }

    @property
    def weakest_cell(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom, in [0, 1] of the photo's width and height, of the cell that added least."""
        height, width = self.cells.shape
        row, column = divmod(int(self.cells.argmin()), width)
        return column / width, row / height, (column + 1) / width, (row + 1) / height

    def __str__(self) -> str:
        regions = self.regions
        worst, best = min(regions, key=regions.get), max(regions, key=regions.get)
        return (
            f"logit {self.logit:.2f} (score {self.score:.3f}): {worst} takes most, {regions[worst]:+.3f}; "
            f"{best} adds most, {regions[best]:+.3f}"
        )


def explain(score: float, quality_map: np.ndarray) -> Explanation:
    """The explanation of a score in [0, 1] by its map, h×w in [0, 1].

    Raises:
        PocketiqaError: the cells do not add up to the score's logit: the network's map is made of something else.
    """
    logits = _logit(quality_map.astype(np.float64))
    explanation = Explanation(score, logits / logits.size)
    if not abs(explanation.cells.sum() - explanation.logit) <= TOLERANCE:
        raise PocketiqaError("this network's map is not made of its score, so its cells do not explain it")
    return explanation


def _logit(share: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(share) - np.log1p(-share)
