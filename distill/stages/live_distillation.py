"""Stage C on a GPU: the student's trunk learns what a live CLIP teacher says of each square of each photo."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from pocketiqa.parity import srcc

from distill.data.device_views import views_of
from distill.data.photo_pool import PhotoPool
from distill.heads.embedding import fit_embedding
from distill.networks.student import INPUT_SPEC, Student
from distill.teacher.live import LiveTeacher
from distill.training.trainer import Objective, TrainerConfig

_STEP = 32  # sides of the squares are multiples of it
_START_PHOTOS = 3072  # twice the student's features: what the projection's start is fitted to


@dataclass(frozen=True)
class LiveConfig:
    """How the trunk learns.

    Attributes:
        components: how many of the teacher's statistics are taught.
        score: weight of the teacher's score, where the components' mean weight is 1. At 0 the trunk learns from no
            score at all, and any source or kind can still be left out when heads are fitted.
        frozen_stages: so many of the trunk's stages, from the first, stay as they are, and its stem with them.
        smallest: side in pixels of the smallest square that is cut out of a photo.
        steps: steps and rates.
    """

    components: int = 192
    score: float = 20.0
    frozen_stages: int = 1
    smallest: int = INPUT_SPEC.height
    steps: TrainerConfig = field(
        default_factory=lambda: TrainerConfig(
            steps=5200, batch=64, rate=3e-4, average=0.998, every=650, weight_decay=1e-4, workers=0
        )
    )


class LiveDistillation(Objective):
    """Rows are photos of the pools, numbered through."""

    def __init__(
        self,
        student: Student,
        teacher: LiveTeacher,
        pools: list[PhotoPool],
        held_out: list[np.ndarray],
        config: LiveConfig,
    ) -> None:
        """Take student and teacher.

        Args:
            student: whose trunk learns; its heads do not.
            teacher: on the pools' device.
            pools: of photos.
            held_out: for each pool the mask of the photos that are never learnt from.
            config: weights and sizes.
        """
        super().__init__()
        self.student, self.config = student, config
        # In a list, so that it is no part of what is trained or saved.
        self._teacher, self._pools, self._held_out = [teacher], pools, held_out
        student.requires_grad_(False)
        student.trunk.requires_grad_(True)
        student.trunk.stem.requires_grad_(False)
        student.trunk.stages[: config.frozen_stages].requires_grad_(False)
        device = pools[0].pixels.device
        student.to(device, memory_format=torch.channels_last)
        # By ridge regression: a projection that knows nothing would spoil the trunk in the first steps.
        self.projection = fit_embedding(*self._answers(np.flatnonzero(~held_out[0])[:_START_PHOTOS]))

    def groups(self) -> list[list[int]]:
        """The rows of each pool."""
        first, groups = 0, []
        for held_out in self._held_out:
            groups.append((first + np.flatnonzero(~held_out)).tolist())
            first += len(held_out)
        return groups

    def load(self, rows: list[int], seed: int) -> dict[str, torch.Tensor]:
        """Which squares are cut, out of which pool."""
        draw = torch.Generator().manual_seed(seed)
        number, first = 0, 0
        while rows[0] >= first + len(self._pools[number]):
            first += len(self._pools[number])
            number += 1
        sides = range(self.config.smallest, self._pools[number].side + 1, _STEP)
        return {
            "pool": torch.tensor(number),
            "rows": torch.tensor(rows) - first,
            "side": torch.tensor(sides[int(torch.randint(len(sides), (1,), generator=draw))]),
            "places": torch.rand(len(rows), 2, generator=draw),
            "mirrored": torch.rand(len(rows), generator=draw) < 0.5,
        }

    def forward(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        pool = self._pools[int(batch["pool"])]
        crops = pool.crops(batch["rows"], int(batch["side"]), batch["places"], batch["mirrored"])
        with torch.autocast(crops.device.type, enabled=False):
            targets = self._teacher[0](crops)
        features = self._features(views_of(crops, INPUT_SPEC).flatten(0, 1)).reshape(len(crops), -1)
        with torch.autocast(crops.device.type, enabled=False):
            known, score = self._errors(self.projection(features.float()), targets)
            losses = {"features": known}
            return losses | {"score": self.config.score * score} if self.config.score else losses

    def train(self, mode: bool = True) -> LiveDistillation:
        """BatchNorm keeps the statistics that the trunk was trained with."""
        super().train(mode)
        self.student.eval()
        return self

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """On whole held-out photos of the first pool: the components' error, and SRCC with the teacher's score where it
        is taught.
        """
        rows = np.flatnonzero(self._held_out[0])
        if len(rows) < 3:
            return {}
        features, targets = self._answers(rows)
        seen = self.projection(features)
        figures = {"held features": float(self._errors(seen, targets)[0])}
        if self.config.score:
            figures["srcc to teacher"] = srcc(seen[:, -1].cpu().numpy(), targets[:, -1].cpu().numpy())
        return figures

    def _errors(self, seen: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean squared error of the components, each by its weight, and the score's, per component."""
        weights, errors = self._teacher[0].components.weights, (seen - targets).square().mean(0)
        return (errors[: len(weights)] * weights).mean(), errors[len(weights)] / len(weights)

    def _features(self, views: torch.Tensor) -> torch.Tensor:
        return self.student.features(views.contiguous(memory_format=torch.channels_last))

    @torch.no_grad()
    def _answers(self, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """The student's features of whole photos of the first pool, and the teacher's targets."""
        pool, seen, targets = self._pools[0], [], []
        device = pool.pixels.device
        for chosen in torch.from_numpy(rows).to(device).split(self.config.steps.batch):
            photos = pool.pixels[chosen].float() / 255
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                features = self._features(views_of(photos, INPUT_SPEC).flatten(0, 1)).reshape(len(photos), -1)
            seen.append(features.float())
            targets.append(self._teacher[0](photos))
        return torch.cat(seen), torch.cat(targets)
