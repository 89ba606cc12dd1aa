"""Losses between predicted and mean opinion scores, and on degradation ladders."""

from __future__ import annotations

import torch

_TINY = 1e-6
# The noise of one opinion in Thurstone's model: one of LIQE's five grades, on a scale from 0 to 1.
_ONE_GRADE = 0.25


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


def fidelity_loss(predicted: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
    """Do the n predictions prefer, in every pair, what the targets prefer, and as clearly? 0 where they agree.

    Fidelity loss ``1 - √(p·g) - √((1-p)(1-g))`` (Tsai et al., "FRank", SIGIR 2007; LIQE, CVPR 2023) between the
    probabilities p and g that the first of a pair is better in Thurstone's model, Φ(difference/(√2·one grade)).

    Args:
        predicted: float n, in [0, 1].
        target: float n, in [0, 1].
        weight: float n, of each photo; a pair weighs the product of its two. All alike by default.
    """
    first, second = torch.triu_indices(len(predicted), len(predicted), offset=1, device=predicted.device)
    scale = 1 / (2**0.5 * _ONE_GRADE)
    p = torch.special.ndtr((predicted[first] - predicted[second]) * scale).clamp(_TINY, 1 - _TINY)
    g = torch.special.ndtr((target[first] - target[second]) * scale).clamp(_TINY, 1 - _TINY)
    loss = 1 - (p * g).sqrt() - ((1 - p) * (1 - g)).sqrt()
    return loss.mean() if weight is None else weighted_mean(loss, weight[first] * weight[second])


def weighted_mean(loss: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Mean of ``loss`` n under ``weight`` n ≥ 0; 0 where no weight is left."""
    return (loss * weight).sum() / (weight.sum() + _TINY)


def masked_mse(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean squared error over the entries of ``target`` that are not NaN; 0 where there are none."""
    known = ~torch.isnan(target)
    if not known.any():
        return predicted.sum() * 0
    return (predicted[known] - target[known]).square().mean()
