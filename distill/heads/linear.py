"""Fitting the student's linear heads to pooled features of the frozen trunk.

The whole problem is in memory and smooth, so it is solved by full-batch L-BFGS: deterministic, no rate to tune. The
student's attributes are these heads; its score is ``hinges.py``'s, which no linear head equals on photos left out.
Linear scores are what features, views and measures are compared by (``leave_one_out.py``, ``ablation.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from distill.networks.student import OUTPUTS
from distill.training.losses import masked_mse, plcc_loss, ranking_loss


@dataclass(frozen=True)
class HeadConfig:
    """How the heads are fitted.

    Attributes:
        l2: penalty on the score's squared weights over standardized features.
        consensus: share, 0 to 1, of the mean of heads fitted to one source each; the rest is fitted to all at once.
            What such heads agree on cannot be the source. A weight average in the sense of model soups
            (Wortsman et al., 2022); none where there is one source.
        attribute_l2: the same for the attributes' weights; their ladders have no sources to tell apart.
        plcc: weight of ``(1 - PLCC) / 2``, taken within each source so that scales never mix.
        attributes: weight of the attributes' squared error on degradation ladders.
        ranking: weight of the hinge that orders the scores along a ladder.
        margin: by which one level's score must exceed the next one's.
        iterations: of L-BFGS, at most; it stops earlier where nothing changes any more.
    """

    l2: float = 0.1
    consensus: float = 0.0
    attribute_l2: float = 0.02
    plcc: float = 0.05
    attributes: float = 1.0
    ranking: float = 1.0
    margin: float = 0.03
    iterations: int = 300


# The fit under which features and views are compared, and against which every measure of ``ablation.py`` is held.
PLAIN = HeadConfig()


@dataclass(frozen=True)
class Opinions:
    """Photos with scores: features n×d, MOS n in [0, 1], and each photo's source."""

    features: torch.Tensor
    mos: torch.Tensor
    sources: np.ndarray

    def take(self, chosen: np.ndarray) -> Opinions:
        """The photos under a mask."""
        return Opinions(self.features[chosen], self.mos[chosen], self.sources[chosen])

    def blended(self, scores: torch.Tensor, share: float) -> Opinions:
        """The same photos with ``share`` of other ``scores`` n, a teacher's, in the place of people's."""
        return Opinions(self.features, (1 - share) * self.mos + share * scores, self.sources)

    def rows_by_source(self) -> list[torch.Tensor]:
        """Each source's rows, int64, sources in the order of their names."""
        return [torch.from_numpy(np.flatnonzero(self.sources == name)) for name in np.unique(self.sources)]


@dataclass(frozen=True)
class Ladders:
    """Rungs of degradation ladders: features n×d, attribute targets n×6 (NaN: unknown), pairs of rows m×2.

    The first row of a pair is one level milder than the second.
    """

    features: torch.Tensor
    targets: torch.Tensor
    pairs: torch.Tensor


def fit_heads(
    opinions: Opinions, ladders: Ladders | None, config: HeadConfig, columns: np.ndarray | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight 7×d and bias 7 over raw features, for logits.

    Args:
        opinions: teach the score.
        ladders: teach the attributes and the order of scores; without them the attributes stay at 0.5.
        config: weights of the terms.
        columns: features that may be used, all by default; the others get weight 0.
    """
    columns = np.arange(opinions.features.shape[1]) if columns is None else columns
    names = np.unique(opinions.sources)
    if config.consensus and len(names) > 1:
        alone = replace(config, consensus=0.0)
        whole = fit_heads(opinions, ladders, alone, columns)
        heads = [fit_heads(opinions.take(opinions.sources == name), ladders, alone, columns) for name in names]
        share = config.consensus / len(heads)
        return tuple((1 - config.consensus) * part + share * sum(parts) for part, *parts in zip(whole, *heads))
    mean = opinions.features[:, columns].mean(0)
    scale = 1 / (opinions.features[:, columns].std(0) + 1e-4)
    standard = (opinions.features[:, columns] - mean) * scale
    copies = (ladders.features[:, columns] - mean) * scale if ladders else None

    weight = torch.zeros(len(OUTPUTS), len(columns), requires_grad=True)
    start = torch.logit(opinions.mos.mean()).item()
    bias = torch.tensor([start] + [0.0] * (len(OUTPUTS) - 1), requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias],
        max_iter=config.iterations,
        tolerance_change=1e-7,
        history_size=20,
        line_search_fn="strong_wolfe",
    )
    by_source = opinions.rows_by_source()

    def objective() -> torch.Tensor:
        optimizer.zero_grad()
        score = torch.sigmoid(standard @ weight[0] + bias[0])
        # The MSE alone would be content with telling the sources apart; the correlation within each is the task.
        loss = (score - opinions.mos).square().mean()
        loss = loss + config.plcc * sum(plcc_loss(score[rows], opinions.mos[rows]) for rows in by_source)
        if copies is not None:
            quality = torch.sigmoid(copies @ weight.t() + bias)
            loss = loss + config.attributes * masked_mse(quality[:, 1:], ladders.targets)
            milder, harsher = quality[:, 0][ladders.pairs.t()]
            loss = loss + config.ranking * ranking_loss(milder, harsher, config.margin)
        loss = loss + config.l2 * weight[0].square().sum() + config.attribute_l2 * weight[1:].square().sum()
        loss.backward()
        return loss

    optimizer.step(objective)
    with torch.no_grad():
        full = torch.zeros(len(OUTPUTS), opinions.features.shape[1])
        full[:, columns] = weight * scale
        return full, bias - (weight * scale) @ mean
