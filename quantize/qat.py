"""Quantization-aware fine-tuning: the int8 network learns to say what the float network says.

No labels: the float network's score, attributes, map and what its heads read are the target, so any photos serve. It
starts from the calibrated graph; scales, zero points and the folded BatchNorm stay frozen from the first step, the
weights move a little.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from quantize.graph import is_below, outputs_of, with_head_inputs
from quantize.prepare import Prepared, enable_fake_quant

_EDGE = 1e-4


@dataclass(frozen=True)
class QatConfig:
    """How the fine-tuning goes.

    Attributes:
        steps: optimizer steps; 0 leaves it out.
        photos_per_step: gradients are summed over so many photos.
        rate: of Adam, at the start; it falls to zero along a cosine.
        map_weight: of the map's error beside the outputs' own.
        feature_weight: of the pooled features' error, relative to their own size.
        seed: of the order of photos.
    """

    steps: int = 40
    photos_per_step: int = 4
    rate: float = 2e-5
    map_weight: float = 0.1
    feature_weight: float = 0.1
    seed: int = 0


def fine_tune(
    prepared: Prepared,
    reference: Prepared,
    inputs: Sequence[torch.Tensor],
    config: QatConfig,
    heads_name: str | None,
    report: Callable[[int, float], None],
) -> None:
    """Fine-tune a calibrated graph in place.

    Args:
        prepared: calibrated and frozen.
        reference: the same graph of the float network, which is run without rounding.
        inputs: float32 of the network's input shape; at least one.
        config: steps and rates.
        heads_name: of the network's heads, which are left as they are, or None.
        report: called with the step and its loss.

    Raises:
        FloatingPointError: the loss is not finite; the rate is too high.
    """
    enable_fake_quant(reference, False)
    pupil, teacher = (with_head_inputs(graph, heads_name) for graph in (prepared, reference))
    outputs = outputs_of(prepared)
    weights = [
        parameter
        for name, parameter in prepared.named_parameters()
        if heads_name is None or not is_below(name, heads_name)
    ]
    optimizer = torch.optim.Adam(weights, lr=config.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, config.steps))
    order = random.Random(config.seed)
    for step in range(config.steps):
        optimizer.zero_grad()
        total = 0.0
        for row in order.choices(range(len(inputs)), k=config.photos_per_step):
            with torch.no_grad():
                target = teacher(inputs[row])
            loss = _loss(pupil(inputs[row]), target, outputs, config) / config.photos_per_step
            loss.backward()
            total += loss.item()
        if not math.isfinite(total):
            raise FloatingPointError(f"the loss is {total} at step {step}; lower the rate of {config.rate}")
        optimizer.step()
        schedule.step()
        report(step, total)


def _loss(
    ours: tuple[torch.Tensor, ...], theirs: tuple[torch.Tensor, ...], outputs: int, config: QatConfig
) -> torch.Tensor:
    """Of the first ``outputs`` (quality and, where there is one, the map) and of what the heads read."""
    loss = _logit_error(ours[0], theirs[0])
    for our_map, their_map in zip(ours[1:outputs], theirs[1:outputs]):
        loss = loss + config.map_weight * _logit_error(our_map, their_map)
    for features, wanted in zip(ours[outputs:], theirs[outputs:]):
        error = (_means(features) - _means(wanted)).square().sum() / _means(wanted).square().sum()
        loss = loss + config.feature_weight * error
    return loss


def _logit_error(ours: torch.Tensor, theirs: torch.Tensor) -> torch.Tensor:
    """Mean squared difference before the sigmoid: an error near 0 or 1 then counts as much as one in the middle."""
    return (torch.logit(ours, eps=_EDGE) - torch.logit(theirs, eps=_EDGE)).square().mean()


def _means(features: torch.Tensor) -> torch.Tensor:
    """Over positions, where there are any."""
    return features.mean((2, 3)) if features.ndim == 4 else features
