"""Float students that can be quantized: any module with the student's signature and its ``trunk`` and ``heads``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch

from distill.student import load_student
from quantize.hard_network import load_hard_student

NetworkName = Literal["lite0", "mobilenetv3"]
NETWORKS: dict[str, Callable[[Path], torch.nn.Module]] = {"lite0": load_student, "mobilenetv3": load_hard_student}
