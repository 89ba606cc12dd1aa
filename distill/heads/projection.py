"""A packaged teacher's probe: its projection fitted through the prompts, on frozen features.

Two packaged towers were never trained together: the projection that joins them starts at random, and fine-tuning
a trunk through a random projection only pulls it about. Here the trunk is frozen and its features are computed once;
the projection alone learns to place photos among the prompts' embeddings: where people's scores put them (stage B's
idea), and, along ladders of degradations, away from the good prompt and towards the one that names the fault (stage
A's). On a CPU this takes minutes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import normalize

from distill.networks.student import Linear
from distill.teacher.packaged import embed_views
from distill.teacher.prompt_scores import PromptScores, Scoring, prompt_scores
from distill.teacher.prompts import GRADES
from distill.training.features import LadderFeatures, ScoredFeatures
from distill.training.losses import masked_mse, plcc_loss, ranking_loss
from distill.training.standardization import Standardization


@dataclass(frozen=True)
class ProjectionConfig:
    """How the projection is fitted.

    Attributes:
        l2: penalty on the squared weights over standardized features. Large, because the prompts' scale of 100 turns
            small weights into large logits; chosen by leaving one source out (``distill/experiments/RESULTS.md``).
        plcc: weight of ``(1 - PLCC) / 2``, taken within each source.
        attributes: weight of the attribute pairs' squared error on ladders.
        ranking: weight of the hinge loss that orders the scores along a ladder.
        margin: by which one level's score must exceed the next one's.
        iterations: of L-BFGS, at most.
        seed: of the weights' start.
    """

    l2: float = 1000.0
    plcc: float = 0.05
    attributes: float = 1.0
    ranking: float = 0.1
    margin: float = 0.03
    iterations: int = 100
    seed: int = 0


def fit_projection(
    opinions: ScoredFeatures,
    ladders: LadderFeatures | None,
    views: int,
    text: torch.Tensor,
    scoring: Scoring,
    config: ProjectionConfig,
) -> Linear:
    """Weight D×d and bias D over raw features of one view.

    Args:
        opinions: features n×(views·d), scores and sources.
        ladders: copies with features of the same width; without them people's scores are all there is.
        views: of each photo; its embedding is the mean direction of theirs.
        text: the prompts' unit embeddings N×D.
        scoring: how the prompts become a score.
        config: penalties and length of the fit.
    """
    features = opinions.features.unflatten(1, (views, -1))
    standardize = Standardization(features)
    standard = standardize(features).flatten(1)
    copies = standardize(ladders.features.unflatten(1, (views, -1))).flatten(1) if ladders else None
    generator = torch.Generator().manual_seed(config.seed)
    weight = torch.randn(text.shape[1], features.shape[2], generator=generator).mul_(1e-3).requires_grad_(True)
    bias = _between_all(text).requires_grad_(True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=config.iterations, line_search_fn="strong_wolfe")
    by_source = opinions.rows_by_source()

    def read(photos: torch.Tensor) -> PromptScores:
        return prompt_scores(embed_views(photos, weight, bias), text, scoring)

    def objective() -> torch.Tensor:
        optimizer.zero_grad()
        score = read(standard).score
        loss = (score - opinions.mos).square().mean() + config.l2 * weight.square().sum()
        loss = loss + config.plcc * sum(plcc_loss(score[rows], opinions.mos[rows]) for rows in by_source)
        if copies is not None:
            asked = read(copies)
            loss = loss + config.attributes * masked_mse(asked.attributes, ladders.targets)
            milder, harsher = asked.score[ladders.pairs.t()]
            loss = loss + config.ranking * ranking_loss(milder, harsher, config.margin)
        loss.backward()
        return loss

    optimizer.step(objective)
    with torch.no_grad():
        return standardize.over_raw(weight, bias)


def _between_all(text: torch.Tensor) -> torch.Tensor:
    """A unit vector D at equal angles to the two prompts of every pair, and to all grades.

    From anywhere else the prompts' softmax, with its scale of 100, starts saturated, and nothing is learnt.
    """
    grades = text[-len(GRADES) :]
    pairs = text[: -len(GRADES)]
    differences = torch.cat([pairs[0::2] - pairs[1::2], grades[1:] - grades[:1]])
    middle = text.mean(0)
    return normalize(middle - torch.linalg.pinv(differences) @ (differences @ middle), dim=0)
