"""The packaged teacher's probe recovers an opinion through the prompts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from distill.heads.projection import ProjectionConfig, fit_projection
from distill.networks.student import ATTRIBUTES
from distill.teacher.packaged import embed_views
from distill.teacher.prompt_scores import PromptScores, prompt_scores
from distill.training.features import LadderFeatures, ScoredFeatures


@pytest.fixture(scope="module")
def opinions() -> ScoredFeatures:
    generator = torch.Generator().manual_seed(0)
    photo = torch.randn(300, 1, 10, generator=generator)
    features = 3 * (photo + 0.2 * torch.randn(300, 2, 10, generator=generator)) + 1
    mos = torch.sigmoid(photo[:, 0, 0] - 0.5 * photo[:, 0, 4])
    return ScoredFeatures(features.flatten(1), mos, np.array(["a", "b", "c"] * 100))


@pytest.fixture(scope="module")
def text() -> torch.Tensor:
    return normalize(torch.randn(31, 48, generator=torch.Generator().manual_seed(1)), dim=1)


def read(
    features: torch.Tensor, linear: tuple[torch.Tensor, torch.Tensor], text: torch.Tensor, how: str
) -> PromptScores:
    return prompt_scores(embed_views(features, *linear), text, how)


@pytest.mark.parametrize("scoring", ["antonyms", "grades", "both"])
def test_after_the_fit_the_prompts_score_as_people_do(
    opinions: ScoredFeatures, text: torch.Tensor, scoring: str
) -> None:
    linear = fit_projection(opinions, None, 2, text, scoring, ProjectionConfig(l2=1e-4))
    score = read(opinions.features, linear, text, scoring).score
    assert np.corrcoef(score, opinions.mos)[0, 1] > 0.95


def test_a_stronger_penalty_gives_smaller_weights(opinions: ScoredFeatures, text: torch.Tensor) -> None:
    gentle, strict = (fit_projection(opinions, None, 2, text, "both", ProjectionConfig(l2=l2))[0] for l2 in (1e-3, 1.0))
    assert strict.norm() < gentle.norm() / 2


def test_ladders_teach_the_order_of_scores_and_which_attribute_a_fault_harms(
    opinions: ScoredFeatures, text: torch.Tensor
) -> None:
    """Along 40 ladders feature 9, which no opinion speaks of, falls from 0 to -10."""
    level = torch.arange(240) % 6
    copies = torch.randn(40, 20, generator=torch.Generator().manual_seed(2)).repeat_interleave(6, 0)
    copies[:, [9, 19]] = -2.0 * level[:, None]
    targets = torch.ones(240, len(ATTRIBUTES))
    targets[:, 1] = 1 - level / 5
    pairs = torch.tensor([(row - 1, row) for row in range(240) if level[row]])
    ladders = LadderFeatures(copies, targets, pairs)

    def along(taught: LadderFeatures | None) -> PromptScores:
        linear = fit_projection(opinions, taught, 2, text, "both", ProjectionConfig(l2=1e-3))
        return read(copies, linear, text, "both")

    before, after = along(None), along(ladders)

    def share_in_order(score: torch.Tensor) -> float:
        return (score[pairs[:, 0]] > score[pairs[:, 1]]).float().mean().item()

    assert share_in_order(after.score) > 0.98 > share_in_order(before.score) + 0.1
    assert after.attributes[level == 0, 1].mean() - after.attributes[level == 5, 1].mean() > 0.6
    assert (after.attributes[:, 0] - 1).abs().mean() < 0.2
