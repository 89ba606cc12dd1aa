"""Float students that can be quantized: any module with the student's signature and its ``trunk`` and ``heads``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch

from distill.networks.student import load_student
from quantize.experiments.hard_network import load_hard_student

NetworkName = Literal["lite0", "mobilenetv3"]
NETWORKS: dict[str, Callable[[Path], torch.nn.Module]] = {"lite0": load_student, "mobilenetv3": load_hard_student}
# Layers that stay float unless told otherwise; a clamp is named beside its convolution. What these round in a flat area
# they round alike at every position, and no mean over positions takes it out.
FLOAT_LAYERS: dict[str, tuple[str, ...]] = {
    "lite0": ("trunk.stem.0", "trunk.stem.1.act", "trunk.stages.0.0.conv_dw", "trunk.stages.0.0.bn1.act"),
    "mobilenetv3": (),
}
