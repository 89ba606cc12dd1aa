"""Quantization-aware fine-tuning: the rounded student learns to say what the float student says.

No labels: the float student's score, attributes and map are the target, so any photos serve. It starts from the
calibrated graph; scales, zero points and the folded BatchNorm stay frozen, the weights move a little.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import torch

from distill.student import Student
from quantize.prepare import Prepared

_EDGE = 1e-4


@dataclass(frozen=True)
class QatConfig:
    """How the fine-tuning goes.

    Attributes:
        steps: optimizer steps; 0 leaves it out.
        photos_per_step: gradients are summed over so many photos.
        rate: of Adam, at the start; it falls to zero along a cosine.
        map_weight: of the map's error beside the outputs' own.
        seed: of the order of photos.
    """

    steps: int = 100
    photos_per_step: int = 4
    rate: float = 2e-5
    map_weight: float = 0.1
    seed: int = 0


def fine_tune(
    prepared: Prepared,
    student: Student,
    inputs: list[torch.Tensor],
    config: QatConfig,
    report: Callable[[int, float], None],
) -> None:
    """Fine-tune a calibrated graph in place.

    Args:
        prepared: calibrated and frozen.
        student: the float student whose answers are the target.
        inputs: float32 of the student's input shape; at least one.
        config: steps and rates.
        report: called with the step and its loss.

    Raises:
        FloatingPointError: the loss is not finite; the rate is too high.
    """
    with torch.no_grad():
        targets = [_logits(student(views)) for views in inputs]
    weights = [parameter for name, parameter in prepared.named_parameters() if name.startswith("trunk.")]
    optimizer = torch.optim.Adam(weights, lr=config.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, config.steps))
    order = random.Random(config.seed)
    for step in range(config.steps):
        optimizer.zero_grad()
        total = 0.0
        for row in order.choices(range(len(inputs)), k=config.photos_per_step):
            quality, quality_map = _logits(prepared(inputs[row]))
            target, target_map = targets[row]
            loss = (quality - target).square().mean()
            loss = loss + config.map_weight * (quality_map - target_map).square().mean()
            (loss / config.photos_per_step).backward()
            total += loss.item() / config.photos_per_step
        if not torch.isfinite(torch.tensor(total)):
            raise FloatingPointError(f"the loss is {total} at step {step}; lower the rate of {config.rate}")
        optimizer.step()
        schedule.step()
        report(step, total)


def _logits(outputs: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs before their sigmoid: an error near 0 or 1 then counts as much as one in the middle."""
    quality, quality_map = outputs
    return torch.logit(quality, eps=_EDGE), torch.logit(quality_map, eps=_EDGE)
