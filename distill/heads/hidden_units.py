"""The score's head: a linear layer and 16 hidden units, fitted to opinions and to severity ladders at once.

One linear layer cannot rank natural photos as people do and also fall along every ladder: darker and brighter copies
pull it opposite ways, and what ladders want of it, people's opinions of other photos pay for
(``distill/experiments/RESULTS.md`` has the figures). So the score's logit is linear plus and minus hidden units,
``relu(weight · features + bias)``, over the same pooled features: a network of one small hidden layer. It is fitted by
stochastic steps that are few and held back by a hard penalty on the hidden units; a lighter one gains within the
sources and loses on those that are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.optim.lr_scheduler import OneCycleLR

from distill.networks.student import HIDDEN_UNITS, Linear, add_hidden_units
from distill.training.features import LadderFeatures, ScoredFeatures
from distill.training.losses import plcc_loss, ranking_loss
from distill.training.standardization import Standardization

_SPREAD = 0.3  # of a hidden unit's value at the start, features being of spread 1


@dataclass(frozen=True)
class HiddenUnitsConfig:
    """How the score's head is fitted.

    Attributes:
        l2: penalty on the linear layer's squared weights over standardized features.
        hidden_l2: the same for the hidden units'.
        plcc: weight of ``(1 - PLCC) / 2``, taken within each source so that scales never mix.
        ranking: weight of the hinge loss that orders the scores along a ladder.
        margin: by which one level's score must exceed the next one's.
        steps: of Adam, its rate rising and falling once.
        batch: photos, and pairs of degraded photos, in a step.
        rate: the highest.
    """

    l2: float = 0.3
    hidden_l2: float = 0.5
    plcc: float = 0.01
    ranking: float = 0.4
    margin: float = 0.03
    steps: int = 570
    batch: int = 512
    rate: float = 2e-3


def fit_hidden_units(scored: ScoredFeatures, ladders: LadderFeatures, config: HiddenUnitsConfig, seed: int) -> Linear:
    """The score's row and its hidden units' rows: weight 17×d and bias 17 over raw features.

    Args:
        scored: photos with people's scores or with pseudo-labels.
        ladders: what the score must fall along.
        config: terms, penalties and steps.
        seed: of the start and of the batches.
    """
    draw = torch.Generator().manual_seed(seed)
    standardize = Standardization(scored.features)
    standard, copies = standardize(scored.features), standardize(ladders.features)
    width = standard.shape[1]
    straight = torch.zeros(1, width, requires_grad=True)
    hidden = (torch.randn(HIDDEN_UNITS, width, generator=draw) * _SPREAD / width**0.5).requires_grad_(True)
    bias = torch.cat([torch.logit(scored.mos.mean())[None], torch.zeros(HIDDEN_UNITS)]).requires_grad_(True)
    places = torch.zeros(len(scored.mos), dtype=torch.long)
    for number, rows in enumerate(scored.rows_by_source()):
        places[rows] = number

    def score(features: torch.Tensor) -> torch.Tensor:
        return score_of(features, (torch.cat([straight, hidden]), bias))

    optimizer = torch.optim.Adam([straight, hidden, bias], config.rate)
    schedule = OneCycleLR(optimizer, config.rate, total_steps=config.steps, pct_start=0.1)
    for _ in range(config.steps):
        rows = torch.randint(len(standard), (config.batch,), generator=draw)
        seen, mos, place = score(standard[rows]), scored.mos[rows], places[rows]
        pairs = ladders.pairs[torch.randint(len(ladders.pairs), (config.batch,), generator=draw)]
        milder, harsher = score(copies[pairs.flatten()]).unflatten(0, (-1, 2)).t()
        loss = (seen - mos).square().mean() + config.ranking * ranking_loss(milder, harsher, config.margin)
        # The squared error alone would be content with telling the sources apart.
        for source in place.unique():
            loss = loss + config.plcc * plcc_loss(seen[place == source], mos[place == source])
        loss = loss + config.l2 * straight.square().sum() + config.hidden_l2 * hidden.square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        return standardize.over_raw(torch.cat([straight, hidden]), bias)


def score_of(features: torch.Tensor, head: Linear) -> torch.Tensor:
    """Scores n in [0, 1] of features n×d and the rows that ``fit_hidden_units`` gives."""
    weight, bias = head
    rows = features @ weight.t() + bias
    return torch.sigmoid(add_hidden_units(rows[:, :1], rows[:, 1:]))[:, 0]
