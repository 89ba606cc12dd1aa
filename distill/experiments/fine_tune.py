"""The baseline that the student has to beat: the same trunk, all of it fine-tuned to people's scores.

    python -m distill fine-tune --mos-folder BIQ2021

As photo-quality networks usually are: one view, a linear layer behind the last one, squared error, AdamW. It starts
from the frozen probe of the same shape, so the two rows differ by the fine-tuning alone. For each source left out it
is trained on the other two.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from pocketiqa.preprocess import PreprocessSpec, preprocess
from torch import nn
from tqdm import tqdm

from distill.data.mos_sets import MosSet, read_biq2021
from distill.data.training_photos import read_photo
from distill.experiments.ablation import with_interval
from distill.experiments.leave_one_out import EveryFeature, usual_probe
from distill.heads.frozen_features import FrozenTrunk, opinions_of
from distill.heads.linear import PLAIN, Opinions, fit_heads
from distill.networks.backbone import IMAGENET_MEAN, IMAGENET_STD, lite0_backbone
from distill.networks.student import INPUT_SPEC, spatial_mean
from distill.training.distributed import this_process
from distill.training.run_folder import RunFolder
from distill.training.trainer import Objective, TrainerConfig, train

_VIEW = PreprocessSpec(height=INPUT_SPEC.height, width=INPUT_SPEC.width)
# A fresh head wants larger steps than pretrained layers; this one is fitted before, so a few times is enough.
_HEAD_RATE = 3


@dataclass(frozen=True)
class FineTuneConfig:
    """What is measured.

    Attributes:
        mos_folder: a checkout of BIQ2021.
        run: where the three runs are kept; a stopped one goes on.
        cache: where the frozen trunk's features are kept.
        seed: of the photos' order, and of resamples.
        steps: how long and how fast.
    """

    mos_folder: Path
    run: Path = Path("runs/fine-tune")
    cache: Path = Path("runs/cache")
    seed: int = 0
    steps: TrainerConfig = field(default_factory=lambda: TrainerConfig(steps=150, batch=16, rate=1e-4, every=50))


class UsualNetwork(nn.Module):
    """The trunk's last layer, its mean over positions, and one linear layer; statistics of BatchNorm stay."""

    def __init__(self) -> None:
        super().__init__()
        self.network = lite0_backbone()
        self.head = nn.Linear(self.network.num_features, 1)

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        """Scores B in [0, 1] of B×3×H×W in [0, 1]."""
        maps = self.network.forward_features((photos - IMAGENET_MEAN) / IMAGENET_STD)
        return torch.sigmoid(self.head(spatial_mean(maps).flatten(1))).squeeze(1)

    def train(self, mode: bool = True) -> UsualNetwork:
        """Batches are small: BatchNorm keeps what it learned from ImageNet."""
        return super().train(False)


class FineTuning(Objective):
    """Squared error on the photos of one set, whatever their source."""

    def __init__(self, network: UsualNetwork, mos_set: MosSet) -> None:
        super().__init__()
        self.network, self.mos_set = network, mos_set

    def groups(self) -> list[list[int]]:
        """All photos in one."""
        return [list(range(len(self.mos_set)))]

    def load(self, rows: list[int], seed: int) -> dict[str, torch.Tensor]:
        """``photos`` B×3×H×W, half of them mirrored, and ``mos`` B."""
        mirrored = torch.rand(len(rows), generator=torch.Generator().manual_seed(seed)) < 0.5
        photos = torch.cat([torch.from_numpy(_seen(self.mos_set.paths[row])) for row in rows])
        photos[mirrored] = photos[mirrored].flip(-1)
        return {"photos": photos, "mos": torch.tensor(self.mos_set.mos[rows], dtype=torch.float32)}

    def forward(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The squared error."""
        # A CPU trains depthwise convolutions faster in this order.
        photos = batch["photos"].contiguous(memory_format=torch.channels_last)
        return {"mse": (self.network(photos) - batch["mos"]).square().mean()}

    def parameter_groups(self, rate: float) -> list[dict[str, object]]:
        """The head at three times the trunk's rate."""
        network = self.network
        return [
            {"params": list(network.network.parameters()), "lr": rate},
            {"params": list(network.head.parameters()), "lr": _HEAD_RATE * rate},
        ]


def measure_fine_tuning(config: FineTuneConfig) -> str:
    """A Markdown table: SRCC on each source left out, of the frozen probe and of the network fine-tuned from it.

    Raises:
        MosSetError: no BIQ2021 there.
        RunError, TrainingStopped: a run cannot be begun or go on.
    """
    mos_set = read_biq2021(config.mos_folder, "train")
    opinions = opinions_of(mos_set, FrozenTrunk(EveryFeature()), config.cache)
    probes, tuned = [], []
    for source in np.unique(mos_set.sources):
        out = mos_set.sources == source
        network = _probe(opinions.take(~out))
        before = _rank(network, mos_set.take(out), f"{source}: probe")
        folder = RunFolder(config.run / str(source), dataclasses.asdict(config.steps) | {"seed": config.seed})
        with this_process() as process:
            train(FineTuning(network, mos_set.take(~out)), config.steps, folder, config.seed, process)
        after = _rank(network, mos_set.take(out), f"{source}: fine-tuned")
        for cells, score in ((probes, before), (tuned, after)):
            cells.append(with_interval(score, mos_set.mos[out], config.seed))
    sources = [str(name) for name in np.unique(mos_set.sources)]
    photos = config.steps.steps * config.steps.batch
    return "\n".join(
        [
            f"| network | {' | '.join(f'out {name}' for name in sources)} |",
            "| --- |" + " ---: |" * len(sources),
            f"| frozen probe of the last layer, MSE | {' | '.join(probes)} |",
            f"| fine-tuned from it, all layers, MSE | {' | '.join(tuned)} |",
            "",
            f"n = {len(mos_set)} photos; {config.steps.steps} steps of {config.steps.batch} ({photos} photos) a source "
            f"left out, AdamW at {config.steps.rate:g}; seed {config.seed}.",
        ]
    )


def _probe(opinions: Opinions) -> UsualNetwork:
    """The network with its head fitted to the frozen last layer."""
    weight, bias = fit_heads(opinions, None, replace(PLAIN, plcc=0.0), usual_probe())
    network = UsualNetwork()
    with torch.no_grad():
        network.head.weight.copy_(weight[:1, usual_probe()])
        network.head.bias.copy_(bias[:1])
    return network.eval()


def _rank(network: UsualNetwork, mos_set: MosSet, title: str) -> np.ndarray:
    """Scores of all photos, by the network as a fast program."""
    program = FrozenTrunk(network, (1, 3, _VIEW.height, _VIEW.width))
    return np.concatenate([program(_seen(path)) for path in tqdm(mos_set.paths, desc=title, mininterval=5)])


def _seen(path: Path) -> np.ndarray:
    return preprocess(read_photo(path), _VIEW)
