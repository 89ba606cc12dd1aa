"""A network that int8 finds hard, put through the same commands: MobileNetV3 with h-swish and squeeze-excitation.

    python -m quantize hard-network --images DIR --mos CSV --out runs/hard.safetensors
    python -m quantize --network mobilenetv3 --student runs/hard.safetensors --images DIR --mos CSV --max-drop 0.005

Howard et al., "Searching for MobileNetV3" (ICCV 2019), timm's ``tf_mobilenetv3_small_minimal_100``'s larger kin with
BatchNorm eps 1e-3. No packaged weights exist, so it starts at random and is trained for minutes, on opinions: a
network for tests of accuracy control, never one to ship.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import timm
import torch
from torch import nn
from tqdm import tqdm

from distill.networks.backbone import make_batchnorm_quantization_safe
from distill.networks.student import INPUT_SPEC, OUTPUTS, Trunk, spatial_mean
from distill.networks.tensors import load_tensors, save_tensors
from quantize.calibration import clean, load_inputs, photos_below, read_mos, split_photos

_ARCHITECTURE = "tf_mobilenetv3_small_100"
_STAGES = (16, 24, 40, 48, 96, 576)
_VIEWS = len(INPUT_SPEC.views)


class HardHeads(nn.Module):
    """One linear layer over the stages' means and, for the map, a convolution on the whole view's last stage."""

    def __init__(self) -> None:
        super().__init__()
        self.means = nn.Linear(_VIEWS * sum(_STAGES), len(OUTPUTS))
        self.local = nn.Conv2d(_STAGES[-1], len(OUTPUTS), 1, bias=False)

    def forward(self, maps: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits 1×7 and map 1×1×h×w of one photo's views; training passes 1 photo at a time."""
        pooled = torch.cat([spatial_mean(stage) for stage in maps], dim=1)
        by_position = self.local(maps[-1][:1])
        mean = spatial_mean(by_position)
        logits = self.means(pooled.reshape(1, -1)) + mean.flatten(1)
        return logits, by_position[:, :1] - mean[:, :1] + logits[:, :1, None, None]


class HardStudent(nn.Module):
    """The student's signature over another trunk."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = Trunk(timm.create_model(_ARCHITECTURE, pretrained=False))
        self.heads = HardHeads()

    def forward(self, views: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Quality 1×7 and map 1×10×10, both in [0, 1], of float32 2×3×320×320 in [0, 1]."""
        logits, score_map = self.heads(self.trunk(views))
        return torch.sigmoid(logits), torch.sigmoid(score_map).flatten(0, 1)


@dataclass(frozen=True)
class HardNetworkConfig:
    """How the hard network is trained.

    Attributes:
        images: a folder of photos.
        mos: a CSV of file name and opinion in [0, 1].
        out: where it is written.
        photos: how many are used.
        steps: of 8 photos each.
        rate: of AdamW, falling to zero along a cosine.
        side: photos are reduced to this side while training, for speed.
        seed: of initialisation and order.
    """

    images: Path
    mos: Path
    out: Path = Path("runs/hard.safetensors")
    photos: int = 1000
    steps: int = 300
    rate: float = 2e-3
    side: int = 160
    seed: int = 0


def train_hard_network(config: HardNetworkConfig) -> tuple[str, bool]:
    """Train and write the network.

    Raises:
        CalibrationError: too few photos, or no opinions.
    """
    torch.manual_seed(config.seed)
    opinions = read_mos(config.mos)
    tuning = split_photos(photos_below(config.images, opinions), config.photos, 1, config.seed).tuning
    inputs = load_inputs(clean(tuning), "photos")
    mos = torch.tensor([opinions[path.name] for path in tuning], dtype=torch.float32)
    student = HardStudent().train()
    optimizer = torch.optim.AdamW(student.parameters(), lr=config.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.steps)
    order = np.random.default_rng(config.seed)
    for _ in tqdm(range(config.steps), desc="training", mininterval=5):
        rows = order.choice(len(inputs), 8, replace=False)
        batch = torch.cat([inputs[row] for row in rows])
        maps = student.trunk(nn.functional.interpolate(batch, size=(config.side, config.side), mode="area"))
        logits = torch.cat([student.heads([m[2 * n : 2 * n + 2] for m in maps])[0] for n in range(len(rows))])
        loss = (torch.sigmoid(logits) - mos[rows][:, None]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    save_tensors(student.state_dict(), config.out, {"architecture": _ARCHITECTURE})
    return f"wrote {config.out.name}; squared error at the last step {loss.item():.4f}", True


def load_hard_student(path: Path) -> HardStudent:
    """The trained network in evaluation mode, its BatchNorm made quantization-safe.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the tensors are not this network's.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no network at {path}; train one with: python -m quantize hard-network")
    student = HardStudent()
    load_tensors(student, Path(path))
    make_batchnorm_quantization_safe(student)
    return student.eval()
