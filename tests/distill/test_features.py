"""Features in memory: targets blend, and held-out ladders leave with their pairs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from distill.training.features import LadderFeatures, ScoredFeatures


@pytest.fixture(scope="module")
def opinions() -> ScoredFeatures:
    features = torch.randn(60, 12, generator=torch.Generator().manual_seed(0))
    return ScoredFeatures(features, torch.sigmoid(features[:, 0]), np.array(["a", "b", "c"] * 20))


def test_a_teacher_s_scores_take_their_share_of_the_targets_and_nothing_else_changes(opinions: ScoredFeatures) -> None:
    labels = 1 - opinions.mos
    blended = opinions.blended(labels, 0.25)
    assert torch.allclose(blended.mos, 0.75 * opinions.mos + 0.25 * labels)
    assert torch.equal(blended.features, opinions.features) and (blended.sources == opinions.sources).all()
    assert torch.equal(opinions.blended(labels, 0.0).mos, opinions.mos)


def test_pairs_with_a_held_out_photo_are_dropped_and_the_others_point_at_the_same_features() -> None:
    pairs = torch.tensor([(row - 1, row) for row in range(36) if row % 6])
    ladders = LadderFeatures(torch.rand(36, 6), torch.full((36, 6), torch.nan), pairs)
    kept = ladders.without(np.arange(36) < 7)
    before = {(a, b) for a, b in pairs.tolist() if a >= 7 and b >= 7}
    after = {(a + 7, b + 7) for a, b in kept.pairs.tolist()}
    assert after == before and torch.equal(kept.features, ladders.features[7:])
