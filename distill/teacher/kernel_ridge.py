"""People's scores as a smooth function of a teacher's features: kernel ridge regression that knows severity ladders.

Of what was tried on CLIP's block statistics it ranks sources left out best; a linear layer loses .06 of SRCC to it
(``distill/experiments/RESULTS.md``, with the kernel's width). Far from all photos that it was fitted to a kernel
answers with their mean, so a harsh degradation would score as a middling photo does. Ladders end that: each harsher
copy is to score lower than the milder one before it.

Photos come from sources that differ in quality and in much else. How far one source lies above another is partly
quality, partly what else tells them apart; so each source has a mean of its own, held near 0 and left out of the answer
(a random effect: Robinson, "That BLUP is a good thing", 1991). The more it may vary, the better are photos of a source
never seen ranked among themselves, and the worse photos of other collections.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from distill.training.features import LadderFeatures
from distill.training.standardization import Standardization

WIDTH = 0.1  # of the kernel: its exponent at two photos as far apart as features of unit variance are, halved
PENALTY = 1.0
MARGIN = 0.03  # by which one level's score must exceed the next one's, as the student's head asks it
RANKING = 1.0  # a pair's squared hinge, where a photo's squared error counts 1
SOURCE_VARIANCE = 1e-3  # of a source's own mean, where the function's variance at a photo is 1
_ROUNDS = 20


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


def fit_kernel_ridge(
    features: torch.Tensor,
    scores: torch.Tensor,
    ladders: LadderFeatures | None = None,
    widths: Sequence[int] | None = None,
    sources: np.ndarray | None = None,
) -> KernelRidge:
    """Fit to photos, and to ladders where there are some.

    Args:
        features: float32 n×d.
        scores: float32 n.
        ladders: of the same features.
        widths: of the parts, d in all, of which the features are made; each counts alike, however wide. One by default.
        sources: names n of where the photos come from; by default they are taken for one.
    """
    standardize = Standardization(features)
    parts = widths or [features.shape[1]]
    share = [torch.full((width,), (features.shape[1] / (len(parts) * width)) ** 0.5) for width in parts]
    standardize.scale.mul_(torch.cat(share).to(features.device))
    support = features if ladders is None else torch.cat([features, ladders.features])
    ridge = KernelRidge(standardize, standardize(support))
    pairs = torch.zeros(0, 2, dtype=torch.long) if ladders is None else ladders.pairs + len(features)
    ridge.middle.copy_(scores.mean())
    kernel = ridge.kernel(ridge.support)
    if sources is not None:
        add_source_means(kernel, sources)
    ridge.weight.copy_(ridge_weights(kernel, scores - ridge.middle, pairs))
    return ridge


def add_source_means(kernel: torch.Tensor, sources: np.ndarray, variance: float = SOURCE_VARIANCE) -> None:
    """Let photos of one source share a mean: ``variance`` is added to their similarities in ``kernel``, in place.

    Args:
        kernel: similarities m×m, the n scored photos first.
        sources: names n.
        variance: of a source's mean.
    """
    n = len(sources)
    same = torch.from_numpy(sources[:, None] == sources[None])
    kernel[:n, :n] += variance * same.to(kernel)


def ridge_weights(
    kernel: torch.Tensor, scores: torch.Tensor, pairs: torch.Tensor, ranking: float = RANKING, margin: float = MARGIN
) -> torch.Tensor:
    """Weights of the function f that makes the squared errors to ``scores``, ``ranking`` times the squared hinges
    ``max(0, margin - (f(milder) - f(harsher)))²`` and ``PENALTY`` times f's squared norm least.

    By Newton's method on the set of pairs that lie within the margin: each round is one ridge regression, over photos
    and over differences of pairs (Chapelle, "Training a support vector machine in the primal", 2007).

    Args:
        kernel: similarities m×m, the n scored photos first.
        scores: float32 n.
        pairs: int64 p×2 of rows of ``kernel``, the milder copy's first.
        ranking: weight of a pair.
        margin: of a pair.
    """
    n, within = len(scores), torch.zeros(len(pairs), dtype=torch.bool, device=kernel.device)
    pairs = pairs.to(kernel.device)
    weight = kernel.new_zeros(len(kernel))
    for _ in range(_ROUNDS):
        milder, harsher = pairs[within].t()
        rows = torch.cat([kernel[:n], kernel[milder] - kernel[harsher]])
        system = torch.cat([rows[:, :n], rows[:, milder] - rows[:, harsher]], dim=1)
        system.diagonal()[:n].add_(PENALTY)
        system.diagonal()[n:].add_(PENALTY / ranking)
        wanted = torch.cat([scores, scores.new_full((len(milder),), margin)])
        found = torch.cholesky_solve(wanted[:, None], torch.linalg.cholesky(system))[:, 0]
        weight.zero_()
        weight[:n] = found[:n]
        weight.index_add_(0, milder, found[n:])
        weight.index_add_(0, harsher, -found[n:])
        seen = kernel @ weight
        now = seen[pairs[:, 0]] - seen[pairs[:, 1]] < margin
        if torch.equal(now, within):
            break
        within = now
    return weight
