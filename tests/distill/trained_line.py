"""A stage of one linear layer, trained from the command line: what the trainer's tests break off, resume and double.

python trained_line.py RUN STEPS DROPOUT
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import nn

from distill.training.distributed import this_process
from distill.training.run_folder import RunFolder
from distill.training.trainer import Objective, TrainerConfig, train


class Line(Objective):
    """Fits noisy points of two sources; dropout and the noise draw on every random state there is."""

    def __init__(self, dropout: float = 0.3) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.points = torch.randn(40, 5, generator=generator)
        self.targets = self.points @ torch.arange(1.0, 6)
        self.layer = nn.Linear(5, 1)
        nn.init.zeros_(self.layer.weight)
        nn.init.zeros_(self.layer.bias)
        self.dropout = nn.Dropout(dropout)

    def groups(self) -> list[list[int]]:
        return [list(range(25)), list(range(25, 40))]

    def load(self, rows: list[int], seed: int) -> dict[str, torch.Tensor]:
        return {"points": self.points[rows], "targets": self.targets[rows]}

    def forward(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        predicted = self.layer(self.dropout(batch["points"]))[:, 0]
        return {"squared error": (predicted - batch["targets"]).square().mean()}

    def validate(self) -> dict[str, float]:
        torch.rand(1)  # a validation that draws must not part a resumed run from an undisturbed one
        with torch.no_grad():
            return {"held-out error": (self.layer(self.points)[:, 0] - self.targets).square().mean().item()}


def trained(run: Path, steps: int, dropout: float = 0.3, line: Line | None = None) -> Line:
    line = line or Line(dropout)
    config = TrainerConfig(steps=steps, batch=8, rate=0.3, average=0.5, every=7)
    with this_process() as process:
        train(line, config, RunFolder(run, {"steps": steps, "dropout": dropout}), seed=3, process=process)
        if process.rank == 1:
            torch.save(line.layer.state_dict(), run / "second.pt")
    return line


if __name__ == "__main__":
    trained(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
