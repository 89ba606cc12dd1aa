"""Stage B on a GPU: CLIP's tower learns people's opinions through changes of low rank.

The head is a ridge regression on the tower's own statistics and stays as it is (a probe before the fine-tuning, Kumar
et al., ICLR 2022, arXiv 2202.10054): what is learnt is how to see, not how to score. Beside opinions, a degraded copy
of a photo must score lower than the photo, the more so the harsher it is.
"""

from __future__ import annotations

import dataclasses
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn

from distill.data.mos_sets.photo_set import MosSet
from distill.data.photo_pool import PhotoPool
from distill.networks.tensors import save_tensors
from distill.teacher.clip_features import BlockStatistics
from distill.teacher.low_rank import add_low_rank
from distill.teacher.pool_features import statistics_of
from distill.training.distributed import Process
from distill.training.losses import plcc_loss, ranking_loss
from distill.training.run_folder import RunFolder
from distill.training.standardization import Standardization
from distill.training.trainer import Objective, TrainerConfig, train

_CROPS = (448, 480, 512)  # of which one is drawn for each step: nearly the whole photo, since its score is
_RIDGE = 0.3


@dataclass(frozen=True)
class TowerConfig:
    """How the tower learns.

    Attributes:
        rank: of the additions to its matrices.
        opinions: weight of the squared error to people's scores, over their variance.
        plcc: weight of ``(1 - PLCC) / 2`` within a source.
        ranking: weight of the hinge between a photo and its degraded copy.
        margin: by which one level of degradation lowers the score.
        steps: steps and rates; 0 leaves the tower as it came.
    """

    rank: int = 8
    opinions: float = 1.0
    plcc: float = 1.0
    ranking: float = 5.0
    margin: float = 0.02
    steps: TrainerConfig = field(
        default_factory=lambda: TrainerConfig(
            steps=450, batch=64, rate=2e-4, average=0.99, every=450, weight_decay=0.0, workers=0
        )
    )


class LinearScore(nn.Module):
    """A ridge regression from features to people's scores, which does not learn any further."""

    def __init__(self, features: torch.Tensor, scores: torch.Tensor) -> None:
        """Fit to ``features`` float32 n×d and ``scores`` float32 n."""
        super().__init__()
        standardize = Standardization(features)
        standard = standardize(features) / features.shape[1] ** 0.5
        kernel = standard @ standard.t()
        kernel.diagonal().add_(_RIDGE)
        weight = standard.t() @ torch.linalg.solve(kernel, scores - scores.mean())
        weight = weight * standardize.scale / features.shape[1] ** 0.5
        self.register_buffer("weight", weight)
        self.register_buffer("bias", scores.mean() - standardize.mean @ weight)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Scores B of features B×d."""
        return features @ self.weight + self.bias


class TowerTuning(Objective):
    """Rows are clean photos of one pool; each one's degraded copy lies behind it.

    Attributes:
        statistics: the tower, whose low-rank additions learn.
        score: the head.
    """

    def __init__(
        self,
        statistics: BlockStatistics,
        score: LinearScore,
        pool: PhotoPool,
        mos_set: MosSet,
        rows: np.ndarray,
        config: TowerConfig,
    ) -> None:
        """Take what is learnt from.

        Args:
            statistics: with ``add_low_rank``.
            score: fitted to its features.
            pool: with the photos.
            mos_set: n photos.
            rows: their n places in the pool.
            config: the losses' weights.
        """
        super().__init__()
        self.statistics, self.score, self._pool, self.config = statistics, score, pool, config
        self._rows, self._sources = rows, mos_set.sources
        self._mos = torch.from_numpy(mos_set.mos).float()
        within = [mos_set.mos[self._sources == name].var() for name in np.unique(self._sources)]
        self._variance = float(np.mean(within))
        self._levels = torch.tensor(pool.levels, dtype=torch.float32)

    def groups(self) -> list[list[int]]:
        """The photos of each source."""
        return [np.flatnonzero(self._sources == name).tolist() for name in np.unique(self._sources)]

    def load(self, rows: list[int], seed: int) -> dict[str, torch.Tensor]:
        """Which squares are cut, and the photos' scores."""
        draw = torch.Generator().manual_seed(seed)
        places = torch.from_numpy(self._rows[rows])
        return {
            "rows": places,
            "side": torch.tensor(_CROPS)[torch.randint(len(_CROPS), (1,), generator=draw)],
            "places": torch.rand(len(rows), 2, generator=draw),
            "mirrored": torch.rand(len(rows), generator=draw) < 0.5,
            "mos": self._mos[rows],
            "level": self._levels[places + 1],
        }

    def forward(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        config, side = self.config, int(batch["side"])
        # Half of the photos, with their copies: a third of the pixels teaches the ranking.
        copied = len(batch["rows"]) // 2 if config.ranking else 0
        rows = torch.cat([batch["rows"], batch["rows"][:copied] + 1])
        places, mirrored = (torch.cat([batch[name], batch[name][:copied]]) for name in ("places", "mirrored"))
        crops = self._pool.crops(rows, side, places, mirrored)
        features = statistics_of(self.statistics, crops)
        with torch.autocast(features.device.type, enabled=False):
            score = self.score(features)
            clean, copies = score[: len(batch["rows"])], score[len(batch["rows"]) :]
            losses = {
                "opinions": config.opinions * (clean - batch["mos"]).square().mean() / self._variance,
                "plcc": config.plcc * plcc_loss(clean, batch["mos"]),
            }
            if copied:
                fallen = copies + config.margin * batch["level"][:copied]
                losses["ranking"] = config.ranking * ranking_loss(clean[:copied], fallen, 0.0)
        return losses


def tune(
    base: BlockStatistics,
    score: LinearScore,
    pool: PhotoPool,
    mos_set: MosSet,
    rows: np.ndarray,
    config: TowerConfig,
    run: Path,
    seed: int,
    process: Process,
) -> BlockStatistics:
    """A copy of ``base`` that has learned; its additions are written to ``run/low_rank.safetensors``.

    Args:
        base: the tower as it came.
        score, pool, mos_set, rows, config: as ``TowerTuning`` takes them.
        run: folder of the run; one that broke off goes on.
        seed: of every draw.
        process: with the device.
    """
    torch.manual_seed(seed)
    statistics = deepcopy(base)
    add_low_rank(statistics.visual, config.rank)
    folder = RunFolder(run, dataclasses.asdict(config) | {"seed": seed, "photos": mos_set.digest()})
    train(TowerTuning(statistics, score, pool, mos_set, rows, config), config.steps, folder, seed, process)
    learnt = {name: tensor for name, tensor in statistics.named_parameters() if tensor.requires_grad}
    save_tensors(learnt, run / "low_rank.safetensors", {"rank": str(config.rank)})
    return statistics.requires_grad_(False).eval()
