"""The packaged teachers' trunks as the feature cache runs them."""

from __future__ import annotations

from torch import nn

from distill.networks.student import INPUT_SPEC
from distill.teacher.clip_features import ClipFeatures, clip_trunk
from distill.teacher.packaged import Lite2Features
from distill.training.frozen_features import PooledFeatures
from distill.training.frozen_trunk import FrozenTrunk

_FEATURES = {
    "clip-b16": lambda trunk: ClipFeatures(trunk or clip_trunk()),
    "lite2": lambda trunk: FrozenTrunk(Lite2Features(trunk), INPUT_SPEC),
}


def packaged_features(teacher: str, trunk: nn.Module | None = None) -> PooledFeatures:
    """What the projection of a packaged teacher reads.

    Args:
        teacher: its name, a key of ``packaged.PACKAGED``.
        trunk: of such a teacher after training, which may leave its precision; by default the packaged one.
    """
    return _FEATURES[teacher](trunk)
