"""From the student's features to the teacher's embedding, by ridge regression: where stage C's projection starts.

A projection that knows nothing would pull the trunk about in the first steps.
"""

from __future__ import annotations

import torch
from torch import nn

from distill.training.standardization import Standardization

# Of standardized features' unit variance: enough where photos are fewer than features.
_RIDGE = 0.1


def fit_embedding(features: torch.Tensor, embedding: torch.Tensor) -> nn.Linear:
    """A linear layer from ``features`` n×d to ``embedding`` n×D, on their device."""
    standardize = Standardization(features)
    standard, middle = standardize(features), embedding.mean(0)
    gram = standard.t() @ standard / len(standard) + _RIDGE * torch.eye(features.shape[1], device=features.device)
    weight = torch.linalg.solve(gram, standard.t() @ (embedding - middle) / len(standard)).t()
    weight, bias = standardize.over_raw(weight, middle)
    projection = nn.Linear(features.shape[1], embedding.shape[1], device=features.device)
    with torch.no_grad():
        projection.weight.copy_(weight)
        projection.bias.copy_(bias)
    return projection
