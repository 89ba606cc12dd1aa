"""In the place of a lowered program: the graph, which torch runs. Lowering takes seconds, and has tests of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from quantize import control, delegation, quantize_network, refit_heads
from quantize.calibration import Inputs


@dataclass(frozen=True)
class EagerProgram:
    """As ``quantize.program.Lowered``."""

    exported: torch.export.ExportedProgram
    subgraphs: int = 1
    buffer: bytes = b""
    outside: dict[str, int] = field(default_factory=dict)

    def run(self, inputs: Inputs, title: str) -> list[np.ndarray]:
        graph = self.exported.module()
        with torch.no_grad():
            return [np.stack(column) for column in zip(*([one.numpy() for one in graph(views)] for views in inputs))]

    def quality(self, inputs: Inputs, title: str) -> np.ndarray:
        return self.run(inputs, title)[0][:, 0].astype(np.float64)


@contextmanager
def without_lowering() -> Iterator[None]:
    """Within it the room's commands lower nothing."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (control, delegation, quantize_network, refit_heads):
            patch.setattr(module, "lower", EagerProgram)
        patch.setattr(control, "latency_ratio", lambda *of: 1.5)
        patch.setattr(delegation, "float_operators", lambda network: {})
        yield
