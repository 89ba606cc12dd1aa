"""A ``.pte`` for phone GPUs, through ExecuTorch's Vulkan backend. Builds anywhere; runs where Vulkan is.

The backend takes convolutions of one image at a time, so the two views go through the trunk one after the other. The
file is written only on request and is verified by its delegation alone: no machine of the build has Vulkan.
"""

from __future__ import annotations

import torch

from distill.networks.student import Student
from mobile_export.lower.executorch import LoweredProgram, lower


class ViewByView(torch.nn.Module):
    """A student whose trunk sees one view at a time; the same numbers in another order."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.student = student

    def forward(self, views: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        pooled = [self.student.pool(self.student.trunk(view)) for view in views.split(1)]
        local, early = (torch.cat(parts) for parts in zip(*pooled))
        logits, score_map = self.student.heads(local, early)
        return torch.sigmoid(logits), torch.sigmoid(score_map).flatten(0, 1)


def lower_to_vulkan(student: Student, example: torch.Tensor, metadata: dict) -> LoweredProgram:
    """Lower a float student to one Vulkan subgraph; errors are those of ``lower_to_xnnpack``."""
    from executorch.backends.vulkan.partitioner.vulkan_partitioner import VulkanPartitioner

    with torch.no_grad():
        exported = torch.export.export(ViewByView(student), (example,))
    return lower(exported, metadata, VulkanPartitioner(), "Vulkan")
