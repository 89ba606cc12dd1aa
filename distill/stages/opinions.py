"""Stage B: the teacher learns what people call good, on one or several sets with mean opinion scores.

Fidelity loss as in LIQE, squared error and correlation, each within a batch of one source.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from pocketiqa.parity import srcc
from pocketiqa.preprocess import PreprocessSpec

from distill.data.mos_sets.photo_set import VALIDATION_SHARE, MosSet, split_by_hash
from distill.data.training_photos import network_input
from distill.teacher.teacher import Teacher
from distill.training.losses import fidelity_loss, plcc_loss
from distill.training.trainer import Objective


@dataclass(frozen=True)
class OpinionConfig:
    """What stage B asks of the teacher. A weight of 0 switches a term off.

    Attributes:
        height: of the photo as the teacher sees it, in pixels.
        width: the same.
        fidelity: weight of the pairwise preferences.
        mse: weight of the squared error.
        plcc: weight of the correlation.
        validation: photos of each source that validation scores, of the held-out tenth.
    """

    height: int = 384
    width: int = 512
    fidelity: float = 1.0
    mse: float = 1.0
    plcc: float = 1.0
    validation: int = 200


class OpinionStage(Objective):
    """Rows are the photos of all sets, one after the other."""

    def __init__(self, teacher: Teacher, mos_sets: list[MosSet], config: OpinionConfig) -> None:
        super().__init__()
        self.teacher, self.config = teacher, config
        teacher.unfreeze()
        self._spec = PreprocessSpec(height=config.height, width=config.width)
        self._paths = [path for mos_set in mos_sets for path in mos_set.paths]
        self._mos = torch.tensor(np.concatenate([mos_set.mos for mos_set in mos_sets]), dtype=torch.float32)
        sources = np.concatenate([[f"{mos_set.name} {name}" for name in mos_set.sources] for mos_set in mos_sets])
        held_out = split_by_hash(self._paths, VALIDATION_SHARE)
        names = np.unique(sources)
        self._groups = [np.flatnonzero((sources == name) & ~held_out).tolist() for name in names]
        held = {str(name): np.flatnonzero((sources == name) & held_out) for name in names}
        self._held_out = {name: rows[: config.validation].tolist() for name, rows in held.items()}

    def groups(self) -> list[list[int]]:
        """The training rows of each source of each set."""
        return [rows for rows in self._groups if rows]

    def load(self, rows: list[int], seed: int) -> dict[str, torch.Tensor]:
        """``images`` B×3×H×W in [0, 1], half of them mirrored, and ``mos`` B."""
        mirrored = torch.rand(len(rows), generator=torch.Generator().manual_seed(seed)) < 0.5
        images = torch.stack([self._image(row) for row in rows])
        images[mirrored] = images[mirrored].flip(-1)
        return {"images": images, "mos": self._mos[rows]}

    def forward(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Losses of one source's photos."""
        score, mos, config = self.teacher(batch["images"]).score, batch["mos"], self.config
        losses = {
            "fidelity": config.fidelity * fidelity_loss(score, mos),
            "mse": config.mse * (score - mos).square().mean(),
        }
        if len(mos) > 1:
            losses["plcc"] = config.plcc * plcc_loss(score, mos)
        return losses

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """SRCC within each source, on photos that are never trained on; sources with fewer than three have none."""
        device = self.teacher.mean.device
        figures = {}
        for name, rows in self._held_out.items():
            if len(rows) < 3:
                continue
            scores = [self.teacher(self._image(row)[None].to(device)).score.item() for row in rows]
            figures[f"srcc {name}"] = srcc(np.array(scores), self._mos[rows].numpy())
        return figures

    def _image(self, row: int) -> torch.Tensor:
        return torch.from_numpy(network_input(self._paths[row], self._spec))[0]
