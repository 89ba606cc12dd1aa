"""What heads are fitted to: features of scored photos and of severity ladders, in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class ScoredFeatures:
    """Photos with scores: features n×d, MOS n in [0, 1], and each photo's source."""

    features: torch.Tensor
    mos: torch.Tensor
    sources: np.ndarray

    def take(self, chosen: np.ndarray) -> ScoredFeatures:
        """The photos under a mask."""
        return ScoredFeatures(self.features[chosen], self.mos[chosen], self.sources[chosen])

    def blended(self, pseudo_labels: torch.Tensor, share: float) -> ScoredFeatures:
        """The same photos with ``share`` of ``pseudo_labels`` n, a teacher's scores, in the place of people's."""
        return ScoredFeatures(self.features, (1 - share) * self.mos + share * pseudo_labels, self.sources)

    def joined(self, other: ScoredFeatures) -> ScoredFeatures:
        """These photos and ``other``'s."""
        return ScoredFeatures(
            torch.cat([self.features, other.features]),
            torch.cat([self.mos, other.mos]),
            np.concatenate([self.sources, other.sources]),
        )

    def rows_by_source(self) -> list[torch.Tensor]:
        """Each source's rows, int64, sources in the order of their names."""
        return [torch.from_numpy(np.flatnonzero(self.sources == name)) for name in np.unique(self.sources)]


@dataclass(frozen=True)
class LadderFeatures:
    """Degraded photos of severity ladders: features n×d, attribute targets n×6 (NaN: unknown), pairs of rows m×2.

    The first row of a pair is a milder level than the second.
    """

    features: torch.Tensor
    targets: torch.Tensor
    pairs: torch.Tensor

    def without(self, held_out: np.ndarray) -> LadderFeatures:
        """The rows that the mask does not hold out, and the pairs among them."""
        kept = torch.from_numpy(~held_out)
        place = torch.cumsum(kept, 0) - 1
        pairs = self.pairs[kept[self.pairs].all(1)]
        return LadderFeatures(self.features[kept], self.targets[kept], place[pairs])
