"""The packaged teachers' trunks as the feature cache runs them."""

from __future__ import annotations

from distill.networks.student import INPUT_SPEC
from distill.teacher.clip_features import ClipFeatures, clip_trunk
from distill.teacher.packaged import Lite2Features
from distill.training.frozen_features import PooledFeatures
from distill.training.frozen_trunk import FrozenTrunk

_FEATURES = {
    "clip-b16": lambda: ClipFeatures(clip_trunk()),
    "lite2": lambda: FrozenTrunk(Lite2Features(), INPUT_SPEC),
}


def packaged_features(teacher: str) -> PooledFeatures:
    """What the projection of a packaged teacher reads, by the teacher's name: a key of ``packaged.PACKAGED``."""
    return _FEATURES[teacher]()
