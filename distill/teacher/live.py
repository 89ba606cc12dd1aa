"""A CLIP teacher that answers while the student learns, about each square of each photo as it is cut.

What it knows (components of its blocks' statistics) and what it thinks (two scores, one of the tower as it came and one
of the tower that learned from people) are taught at once. Exact answers about the very pixels that the student sees
are worth more than cached ones about the whole photo: Beyer et al., "Knowledge distillation: A good teacher is patient
and consistent", CVPR 2022, arXiv 2106.05237.
"""

from __future__ import annotations

import torch
from torch import nn

from distill.teacher.components import Components
from distill.teacher.kernel_ridge import KernelRidge
from distill.training.standardization import Standardization

SCORES = 2


class LiveTeacher(nn.Module):
    """Targets of photos, each of mean 0 and deviation 1 over the photos that it was made from.

    Attributes:
        weights: float32 c + 2, what each target counts: the components' own, and ``score_weight`` for the scores.
    """

    def __init__(
        self,
        read: nn.Module,
        read_tuned: nn.Module,
        components: Components,
        ridge: KernelRidge,
        score: nn.Module,
        score_weight: float,
    ) -> None:
        """Take the parts.

        Args:
            read: photos B×3×S×S to statistics B×d, of the tower as it came.
            read_tuned: the same of the tower that learned.
            components: of the first one's statistics.
            ridge: scores of the first one's statistics.
            score: scores of the second one's.
            score_weight: of each score.
        """
        super().__init__()
        self.read, self.read_tuned, self.components = read, read_tuned, components
        self.ridge, self.score = ridge, score
        own = torch.full((SCORES,), score_weight, device=components.weights.device)
        self.register_buffer("weights", torch.cat([components.weights, own]))
        self.standardized: nn.Module = nn.Identity()

    @torch.no_grad()
    def scores(self, photos: torch.Tensor) -> torch.Tensor:
        """Both scores, B×2 in people's units, of photos B×3×S×S in [0, 1]."""
        return self._scores(self.read(photos), photos)

    def standardize(self, scores: torch.Tensor) -> None:
        """Take mean and deviation of the targets from scores n×2."""
        self.standardized = Standardization(scores)

    @torch.no_grad()
    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        """Targets, float32 B×(c + 2), of photos B×3×S×S in [0, 1]."""
        known = self.read(photos)
        return torch.cat([self.components.of(known), self.standardized(self._scores(known, photos))], dim=1)

    def _scores(self, known: torch.Tensor, photos: torch.Tensor) -> torch.Tensor:
        return torch.stack([self.ridge(known), self.score(self.read_tuned(photos))], dim=1)
