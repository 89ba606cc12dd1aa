"""Features of whole sets of photos: of scored ones, and of pristine ones with their severity ladders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from distill.data.degraded_photos import CLEAN, DegradedPhoto, attribute_targets, render
from distill.data.mos_sets.photo_set import MosSet
from distill.networks.student import ATTRIBUTES
from distill.training.features import LadderFeatures, ScoredFeatures
from distill.training.frozen_features import PooledFeatures, features_of, features_of_photos


def scored_features(mos_set: MosSet, trunk: PooledFeatures, cache: Path) -> ScoredFeatures:
    """A MOS set's photos through ``trunk``; from ``cache`` where they are there."""
    features = features_of_photos(mos_set.paths, trunk, cache, mos_set.name)
    return ScoredFeatures(features, torch.tensor(mos_set.mos, dtype=torch.float32), mos_set.sources)


def ladder_features(copies: Sequence[DegradedPhoto], trunk: PooledFeatures, cache: Path) -> LadderFeatures:
    """``severity_ladders`` through ``trunk``, with attribute targets and pairs to order."""
    features = features_of({str(copy): copy for copy in copies}, render, trunk, cache, "ladders")
    row_of = {(copy.photo, copy.kind, copy.level): row for row, copy in enumerate(copies)}
    # The mildest level is not paired with the clean photo: some mild kinds (contrast, sharpening) may please.
    pairs = [(row_of[c.photo, c.kind, c.level - 1], row) for row, c in enumerate(copies) if c.level > 1]
    pairs += [(row_of[c.photo, CLEAN, 0], row) for row, c in enumerate(copies) if c.level > 2]
    return LadderFeatures(
        features,
        torch.from_numpy(attribute_targets(copies, ATTRIBUTES)),
        torch.tensor(pairs),
    )
