"""The packaged teacher's probe recovers an opinion through the prompts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from distill.fit_projection import ProjectionConfig, fit_projection
from distill.heads import Opinions
from distill.teacher import read_prompts


@pytest.fixture(scope="module")
def opinions() -> Opinions:
    generator = torch.Generator().manual_seed(0)
    photo = torch.randn(300, 1, 10, generator=generator)
    features = 3 * (photo + 0.2 * torch.randn(300, 2, 10, generator=generator)) + 1
    mos = torch.sigmoid(photo[:, 0, 0] - 0.5 * photo[:, 0, 4])
    return Opinions(features.flatten(1), mos, np.array(["a", "b", "c"] * 100))


@pytest.fixture(scope="module")
def text() -> torch.Tensor:
    return normalize(torch.randn(31, 48, generator=torch.Generator().manual_seed(1)), dim=1)


@pytest.mark.parametrize("scoring", ["antonyms", "grades", "both"])
def test_after_the_fit_the_prompts_score_as_people_do(opinions: Opinions, text: torch.Tensor, scoring: str) -> None:
    weight, bias = fit_projection(opinions, 2, text, scoring, ProjectionConfig(l2=1e-4))
    views = opinions.features.unflatten(1, (2, -1))
    embedding = normalize(normalize(views @ weight.t() + bias, dim=2).mean(1), dim=1)
    score = read_prompts(embedding, text, scoring).score
    assert np.corrcoef(score, opinions.mos)[0, 1] > 0.95


def test_a_stronger_penalty_gives_smaller_weights(opinions: Opinions, text: torch.Tensor) -> None:
    gentle, strict = (fit_projection(opinions, 2, text, "both", ProjectionConfig(l2=l2))[0] for l2 in (1e-3, 1.0))
    assert strict.norm() < gentle.norm() / 2
