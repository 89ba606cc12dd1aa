"""Kinds of photos by what they show: clusters of a frozen trunk's features, to leave out one at a time.

Leaving out a source says how photos of another campaign are ranked among themselves, and rewards a fit for ignoring
what tells sources apart. Leaving out a kind of photo, of all sources, says whether photos unlike those of training get
scores in their right place among others: what a mixed album asks for.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.cluster.vq import kmeans2

_KINDS = 6
_DIMENSIONS = 30


def kinds_of_photos(features: torch.Tensor, seed: int) -> np.ndarray:
    """A number from 0 to 5 for each row of n×d ``features``, by k-means on their largest principal components."""
    standard = (features - features.mean(0)) / (features.std(0) + 1e-4)
    _, directions = torch.linalg.eigh(standard.t() @ standard)
    largest = (standard @ directions[:, -_DIMENSIONS:]).double().numpy()
    return kmeans2(largest, _KINDS, minit="++", seed=seed)[1]
