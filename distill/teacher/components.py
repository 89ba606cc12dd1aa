"""What a student learns of a teacher's features: their first principal components, each of unit variance.

Features of thousands of numbers vary in a few hundred ways, and a squared error over all of them is an error over the
loudest. Whitened, each direction in which photos differ counts; its weight is the root of its variance, so that the
last ones, which are noise, count less. After the "features" targets of CLIP-KD (Yang et al., CVPR 2024), over several
blocks instead of the last.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from distill.training.standardization import Standardization

_OVERSAMPLED = 32
_ITERATIONS = 4
_SMALLEST = 1e-3  # of the first one's deviation: what varies less is the arithmetic's


@dataclass(frozen=True)
class Components:
    """Whitened principal components of features of d numbers.

    Attributes:
        standardize: what the features go through first.
        directions: float32 d×c.
        weights: float32 c with a mean of 1, falling.
        explained: share of the standardized features' variance that they hold, 0 to 1.
    """

    standardize: Standardization
    directions: torch.Tensor
    weights: torch.Tensor
    explained: float

    def of(self, features: torch.Tensor) -> torch.Tensor:
        """Float32 n×c of features n×d; over the photos that they were fitted to of mean 0 and deviation 1."""
        return self.standardize(features) @ self.directions


def principal_components(features: torch.Tensor, count: int, seed: int = 0) -> Components:
    """Components of ``features`` n×d; fewer than ``count`` where photos, or the ways in which they vary, are fewer."""
    standardize = Standardization(features)
    standard = standardize(features)
    count = min(count, len(features) - 1, features.shape[1])
    drawn = min(count + _OVERSAMPLED, *standard.shape)
    with torch.random.fork_rng(devices=[]):  # the caller's own draws are not these
        torch.manual_seed(seed)
        _, singular, directions = torch.svd_lowrank(standard, q=drawn, niter=_ITERATIONS)
    deviation = singular[:count] / len(features) ** 0.5
    count = int((deviation > _SMALLEST * deviation[0]).sum())
    deviation = deviation[:count]
    explained = float(deviation.square().sum() / standard.square().sum(1).mean())
    return Components(standardize, directions[:, :count] / deviation, deviation / deviation.mean(), explained)
