"""A CLIP teacher that answers while the student learns, about each square of each photo as it is cut.

What it knows (components of its blocks' statistics) is taught, and what it thinks (a score) may be. Exact answers about
the very pixels that the student sees are worth more than cached ones about the whole photo: Beyer et al., "Knowledge
distillation: A good teacher is patient and consistent", CVPR 2022, arXiv 2106.05237.
"""

from __future__ import annotations

import torch
from torch import nn

from distill.teacher.components import Components
from distill.teacher.kernel_ridge import KernelRidge
from distill.training.standardization import Standardization


class LiveTeacher(nn.Module):
    """Targets of photos, each of mean 0 and deviation 1 over the photos that it was made from."""

    def __init__(self, read: nn.Module, components: Components, ridge: KernelRidge) -> None:
        """Take the parts.

        Args:
            read: photos B×3×S×S to statistics B×d.
            components: of these statistics.
            ridge: scores of these statistics.
        """
        super().__init__()
        self.read, self.components, self.ridge = read, components, ridge
        self.standardized: nn.Module = nn.Identity()

    @torch.no_grad()
    def scores(self, photos: torch.Tensor) -> torch.Tensor:
        """Scores, B×1 in people's units, of photos B×3×S×S in [0, 1]."""
        return self.ridge(self.read(photos))[:, None]

    def standardize(self, scores: torch.Tensor) -> None:
        """Take mean and deviation of the score's target from scores n×1."""
        self.standardized = Standardization(scores)

    @torch.no_grad()
    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        """Targets, float32 B×(c + 1), of photos B×3×S×S in [0, 1]: the components, then the score."""
        known = self.read(photos)
        return torch.cat([self.components.of(known), self.standardized(self.ridge(known)[:, None])], dim=1)
