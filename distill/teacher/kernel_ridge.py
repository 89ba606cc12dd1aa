"""People's scores as a smooth function of a teacher's features: kernel ridge regression.

Of what was tried on CLIP's block statistics it ranks sources left out best; a linear layer loses .06 of SRCC to it
(``distill/experiments/RESULTS.md``, with the kernel's width).
"""

from __future__ import annotations

import torch
from torch import nn

from distill.training.standardization import Standardization

WIDTH = 0.1  # of the kernel: its exponent at two photos as far apart as features of unit variance are, halved
PENALTY = 1.0


class KernelRidge(nn.Module):
    """Scores of features, fitted to n photos by ``fit_kernel_ridge``."""

    def __init__(self, standardize: Standardization, support: torch.Tensor) -> None:
        super().__init__()
        self.standardize = standardize
        self.register_buffer("support", support)
        self.register_buffer("norms", support.square().sum(1))
        self.register_buffer("weight", torch.zeros(len(support), device=support.device))
        self.register_buffer("middle", torch.zeros((), device=support.device))

    @torch.no_grad()
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Scores, float32 B of float32 B×d; not held to [0, 1]."""
        return self.kernel(self.standardize(features.float())) @ self.weight + self.middle

    def kernel(self, standard: torch.Tensor) -> torch.Tensor:
        """Similarities to the photos it was fitted to, B×n of standardized features B×d."""
        squares = standard.square().sum(1)[:, None] + self.norms - 2 * standard @ self.support.t()
        return torch.exp(-WIDTH / standard.shape[1] * squares)


def fit_kernel_ridge(features: torch.Tensor, scores: torch.Tensor) -> KernelRidge:
    """Fit to ``features`` float32 n×d and ``scores`` float32 n."""
    standardize = Standardization(features)
    ridge = KernelRidge(standardize, standardize(features))
    kernel = ridge.kernel(ridge.support)
    kernel.diagonal().add_(PENALTY)
    ridge.middle.copy_(scores.mean())
    ridge.weight.copy_(torch.linalg.solve(kernel, scores - ridge.middle))
    return ridge
