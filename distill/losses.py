"""Losses between predicted and mean opinion scores, and on degradation ladders."""

from __future__ import annotations

import torch

_TINY = 1e-6


def plcc_loss(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """``(1 - PLCC) / 2`` of two float vectors of n ≥ 2: 0 when one is a rising linear function of the other."""
    predicted = predicted - predicted.mean()
    target = target - target.mean()
    # Inside the root, so that a constant prediction, where every fit starts, has a gradient.
    norm = (predicted.square().sum() * target.square().sum() + _TINY).sqrt()
    return (1 - (predicted * target).sum() / norm) / 2


def ranking_loss(better: torch.Tensor, worse: torch.Tensor, margin: float) -> torch.Tensor:
    """Mean hinge over pairs: 0 when each of ``better`` exceeds its ``worse`` by ``margin`` (same shapes)."""
    return torch.relu(margin - (better - worse)).mean()


def masked_mse(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean squared error over the entries of ``target`` that are not NaN; 0 where there are none."""
    known = ~torch.isnan(target)
    if not known.any():
        return predicted.sum() * 0
    return (predicted[known] - target[known]).square().mean()
