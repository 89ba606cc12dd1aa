"""The score's head: a linear layer bent by hinges, fitted to people's scores and to ladders of degradations at once.

One linear layer cannot rank natural photos as people do and also fall along every ladder: darker and brighter copies
pull it opposite ways, and what ladders want of it, people's opinions of other photos pay for (``distill/README.md`` has
the figures). So the score's logit is linear plus and minus hinges, ``relu(weight · features + bias)``, over the same
pooled features: a network of one small hidden layer. It is fitted by stochastic steps that are few and held back by a
hard penalty on the hinges; a lighter one gains within the sources and loses on those that are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.optim.lr_scheduler import OneCycleLR

from distill.heads.linear import Ladders, Opinions
from distill.networks.student import HINGES, bend
from distill.training.losses import plcc_loss, ranking_loss

_SPREAD = 0.3  # of a hinge's value at the start, features being of spread 1


@dataclass(frozen=True)
class HingeConfig:
    """How the score's head is fitted.

    Attributes:
        l2: penalty on the linear layer's squared weights over standardized features.
        hinge_l2: the same for the hinges'.
        plcc: weight of ``(1 - PLCC) / 2``, taken within each source so that scales never mix.
        ranking: weight of the hinge loss that orders the scores along a ladder.
        margin: by which one level's score must exceed the next one's.
        steps: of Adam, its rate rising and falling once.
        batch: photos, and pairs of copies, in a step.
        rate: the highest.
    """

    l2: float = 0.3
    hinge_l2: float = 0.5
    plcc: float = 0.01
    ranking: float = 0.4
    margin: float = 0.03
    steps: int = 570
    batch: int = 512
    rate: float = 2e-3


def fit_hinges(
    opinions: Opinions, ladders: Ladders, linear: tuple[torch.Tensor, torch.Tensor], config: HingeConfig, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The score's row and hinges, with the attributes' rows of ``linear``: weight 23×d and bias 23 over raw features.

    Args:
        opinions: photos with people's or a teacher's scores.
        ladders: what the score must fall along.
        linear: weight 7×d and bias 7 of ``fit_heads``; the score's row is fitted anew.
        config: terms, penalties and steps.
        seed: of the start and of the batches.
    """
    draw = torch.Generator().manual_seed(seed)
    mean, scale = opinions.features.mean(0), 1 / (opinions.features.std(0) + 1e-4)
    standard, copies = ((part.features - mean) * scale for part in (opinions, ladders))
    width = standard.shape[1]
    straight = torch.zeros(1, width, requires_grad=True)
    hinges = (torch.randn(HINGES, width, generator=draw) * _SPREAD / width**0.5).requires_grad_(True)
    bias = torch.cat([torch.logit(opinions.mos.mean())[None], torch.zeros(HINGES)]).requires_grad_(True)
    places = torch.zeros(len(opinions.mos), dtype=torch.long)
    for number, rows in enumerate(opinions.rows_by_source()):
        places[rows] = number

    def score(features: torch.Tensor) -> torch.Tensor:
        rows = features @ torch.cat([straight, hinges]).t() + bias
        return torch.sigmoid(bend(rows[:, :1], rows[:, 1:]))[:, 0]

    optimizer = torch.optim.Adam([straight, hinges, bias], config.rate)
    schedule = OneCycleLR(optimizer, config.rate, total_steps=config.steps, pct_start=0.1)
    for _ in range(config.steps):
        rows = torch.randint(len(standard), (config.batch,), generator=draw)
        seen, mos, place = score(standard[rows]), opinions.mos[rows], places[rows]
        pairs = ladders.pairs[torch.randint(len(ladders.pairs), (config.batch,), generator=draw)]
        milder, harsher = score(copies[pairs.flatten()]).unflatten(0, (-1, 2)).t()
        loss = (seen - mos).square().mean() + config.ranking * ranking_loss(milder, harsher, config.margin)
        # The squared error alone would be content with telling the sources apart.
        for source in place.unique():
            loss = loss + config.plcc * plcc_loss(seen[place == source], mos[place == source])
        loss = loss + config.l2 * straight.square().sum() + config.hinge_l2 * hinges.square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        weight = torch.cat([straight, hinges]) * scale
        offset = bias - weight @ mean
        return (
            torch.cat([weight[:1], linear[0][1:], weight[1:]]),
            torch.cat([offset[:1], linear[1][1:], offset[1:]]),
        )
