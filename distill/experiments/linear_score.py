"""A linear score over frozen features: what features, views and measures are compared by.

The student's own score has hidden units (``distill/heads/hidden_units.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from distill.heads.full_batch import minimize
from distill.networks.student import Linear
from distill.training.features import LadderFeatures, ScoredFeatures
from distill.training.losses import plcc_loss, ranking_loss
from distill.training.standardization import Standardization


@dataclass(frozen=True)
class LinearScoreConfig:
    """How a linear score is fitted.

    Attributes:
        l2: penalty on the squared weights over standardized features.
        consensus: share, 0 to 1, of the mean of scores fitted to one source each; the rest is fitted to all at once.
            What such scores agree on cannot be the source. A weight average in the sense of model soups
            (Wortsman et al., 2022); none where there is one source.
        plcc: weight of ``(1 - PLCC) / 2``, taken within each source so that scales never mix.
        ranking: weight of the hinge loss that orders the scores along a ladder.
        margin: by which one level's score must exceed the next one's.
        iterations: of L-BFGS, at most; it stops earlier where nothing changes any more.
    """

    l2: float = 0.1
    consensus: float = 0.0
    plcc: float = 0.05
    ranking: float = 1.0
    margin: float = 0.03
    iterations: int = 300


# The fit under which features and views are compared, and against which every measure of the ablation is held.
PLAIN = LinearScoreConfig()


def fit_linear_score(
    scored: ScoredFeatures,
    ladders: LadderFeatures | None,
    config: LinearScoreConfig,
    columns: np.ndarray | None = None,
) -> Linear:
    """Weight 1×d and bias 1 over raw features, for logits.

    Args:
        scored: teach the score.
        ladders: teach its order along ladders, where they are given.
        config: weights of the terms.
        columns: features that may be used, all by default; the others get weight 0.
    """
    columns = np.arange(scored.features.shape[1]) if columns is None else columns
    names = np.unique(scored.sources)
    if config.consensus and len(names) > 1:
        alone = replace(config, consensus=0.0)
        whole = fit_linear_score(scored, ladders, alone, columns)
        parts = [fit_linear_score(scored.take(scored.sources == name), ladders, alone, columns) for name in names]
        share = config.consensus / len(parts)
        return tuple((1 - config.consensus) * one + share * sum(others) for one, *others in zip(whole, *parts))
    standardize = Standardization(scored.features[:, columns])
    standard = standardize(scored.features[:, columns])
    copies = standardize(ladders.features[:, columns]) if ladders else None

    weight = torch.zeros(1, len(columns), requires_grad=True)
    bias = torch.logit(scored.mos.mean())[None].clone().requires_grad_(True)
    by_source = scored.rows_by_source()

    def loss() -> torch.Tensor:
        score = linear_score(standard, (weight, bias))
        # The squared error alone would be content with telling the sources apart; the correlation within each is the
        # task.
        total = (score - scored.mos).square().mean() + config.l2 * weight.square().sum()
        total = total + config.plcc * sum(plcc_loss(score[rows], scored.mos[rows]) for rows in by_source)
        if copies is not None:
            milder, harsher = linear_score(copies, (weight, bias))[ladders.pairs.t()]
            total = total + config.ranking * ranking_loss(milder, harsher, config.margin)
        return total

    minimize([weight, bias], loss, config.iterations)
    with torch.no_grad():
        full = torch.zeros(1, scored.features.shape[1])
        full[:, columns], bias = standardize.over_raw(weight, bias)
        return full, bias


def linear_score(features: torch.Tensor, linear: Linear) -> torch.Tensor:
    """Scores n in [0, 1] of features n×d."""
    weight, bias = linear
    return torch.sigmoid(features @ weight[0] + bias[0])
