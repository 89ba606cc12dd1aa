"""Cross-layer equalization of linear bottlenecks: channels of one tensor are scaled to similar ranges.

After Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction" (ICCV 2019). Between
two stages of an inverted-residual network there is no clamp, so a channel may be divided by a factor where it is
made and multiplied by it where it is read, exactly; residual additions tie the channels of a whole stage, and the
heads read them too. Channels behind a ReLU6 cannot be scaled without moving the clamp.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

from distill.networks.student import EARLY_WIDTH, FIRST_MAPPED_STAGE, Student

# 1 would give every channel the same range; the weights that read them would then differ in theirs.
_STRENGTH = 0.5


@torch.no_grad()
def equalize(student: Student, inputs: Iterable[torch.Tensor]) -> None:
    """Rescale the stages' channels in place; the float student computes what it did."""
    ranges = _channel_ranges(student, inputs)
    local = early = 0
    for number, (stage, spread) in enumerate(zip(student.trunk.stages, ranges)):
        factor = (spread / spread.max()).clamp_min(1e-3) ** _STRENGTH
        for block in stage:
            norm = block.bn3 if hasattr(block, "bn3") else block.bn2
            norm.weight /= factor
            norm.bias /= factor
        following = student.trunk.stages[number + 1][:1] if number + 1 < len(ranges) else []
        for reader in (*stage[1:], *following):
            reader.conv_pw.weight *= factor[None, :, None, None]
        width = len(factor)
        if number >= FIRST_MAPPED_STAGE:
            for head in student.heads.local:
                head.weight[:, local : local + width] *= factor[None, :, None, None]
            local += width
        else:
            by_view = student.heads.early.weight.unflatten(1, (-1, EARLY_WIDTH))
            by_view[:, :, early : early + width] *= factor
            early += width


def _channel_ranges(student: Student, inputs: Iterable[torch.Tensor]) -> list[torch.Tensor]:
    """Largest magnitude of each channel over all blocks of each stage."""
    ranges: list[torch.Tensor | None] = [None] * len(student.trunk.stages)

    def watch(number: int, output: torch.Tensor) -> None:
        seen = output.abs().amax((0, 2, 3))
        ranges[number] = seen if ranges[number] is None else torch.maximum(ranges[number], seen)

    hooks = [
        block.register_forward_hook(lambda module, arguments, output, number=number: watch(number, output))
        for number, stage in enumerate(student.trunk.stages)
        for block in stage
    ]
    for views in inputs:
        student(views)
    for hook in hooks:
        hook.remove()
    return ranges
