"""Lowering an exported graph to an ExecuTorch program, ``.pte``, for XNNPACK: any Arm or x86 processor.

The backends in ``coreml_pte.py`` and ``vulkan.py`` share ``lower``. Every program embeds its metadata, so a file
separated from its bundle explains itself.
"""

from __future__ import annotations

import copy
import json
from dataclasses import asdict, dataclass

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.devtools.backend_debug import get_delegation_info
from executorch.exir import EdgeProgramManager, to_edge_transform_and_lower

METADATA_METHOD = "metadata"

# What ExecuTorch's own graph needs around a delegate; it computes nothing.
_PLUMBING = frozenset({"getitem"})
_CAST = "dim_order_ops__to_dim_order_copy_default"


class DelegationError(RuntimeError):
    """The backend did not take the whole graph as one subgraph."""


@dataclass(frozen=True)
class Delegation:
    """How much of the graph the backend took: counts of subgraphs and of nodes inside and outside them."""

    subgraphs: int
    delegated: int
    non_delegated: int

    def to_dict(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True)
class LoweredProgram:
    """The bytes of a ``.pte`` file and what its backend took."""

    buffer: bytes
    delegation: Delegation


def lower_to_xnnpack(exported: torch.export.ExportedProgram, metadata: dict) -> LoweredProgram:
    """Lower a float or a converted int8 graph to one XNNPACK subgraph. The same graph gives the same bytes.

    Args:
        exported: from ``torch.export.export``, with the shapes that the program is to have.
        metadata: JSON-serialisable; the program's constant method ``metadata`` returns it as UTF-8 bytes in a
            one-dimensional uint8 tensor, the one form that every ExecuTorch runtime can return.

    Raises:
        DelegationError: XNNPACK took the graph in more than one piece, or none of it.
    """
    return lower(exported, metadata, XnnpackPartitioner(), "XNNPACK")


class _Half(torch.nn.Module):
    """A student that computes in float16 between float32 borders."""

    def __init__(self, student: torch.nn.Module) -> None:
        super().__init__()
        self.student = copy.deepcopy(student).half()

    def forward(self, views: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        quality, quality_map = self.student(views.half())
        return quality.float(), quality_map.float()


def lower_half_to_xnnpack(student: torch.nn.Module, example: torch.Tensor, metadata: dict) -> LoweredProgram:
    """Lower a float student to float16 arithmetic, for Arm cores that have it. XNNPACK's file format holds weights as
    float32 all the same, so the file is as large as fp32's; the casts at the borders stay outside the subgraph."""
    with torch.no_grad():
        exported = torch.export.export(_Half(student), (example,))
    return lower(exported, metadata, XnnpackPartitioner(), "XNNPACK", outside_allowed=_PLUMBING | {_CAST})


def lower(
    exported: torch.export.ExportedProgram,
    metadata: dict,
    partitioner: object,
    backend: str,
    outside_allowed: frozenset[str] = _PLUMBING,
) -> LoweredProgram:
    """Lower to one subgraph of the backend that ``partitioner`` speaks for; see :func:`lower_to_xnnpack`."""
    text = json.dumps(metadata, sort_keys=True, ensure_ascii=False).encode()
    edge: EdgeProgramManager = to_edge_transform_and_lower(
        exported,
        partitioner=[partitioner],
        constant_methods={METADATA_METHOD: torch.frombuffer(bytearray(text), dtype=torch.uint8)},
    )
    info = get_delegation_info(edge.exported_program().graph_module)
    outside = {
        name: counts.non_delegated
        for name, counts in info.delegation_by_operator.items()
        if counts.non_delegated and name not in outside_allowed
    }
    if info.num_delegated_subgraphs != 1 or outside:
        listing = ", ".join(f"{name} ×{count}" for name, count in sorted(outside.items())) or "none"
        raise DelegationError(
            f"{backend} took the graph in {info.num_delegated_subgraphs} subgraphs; one that holds every "
            f"operator is allowed. Left outside: {listing}. Rewrite these operators in the student, or keep "
            "what surrounds them in the type that the backend runs. A to_dim_order_copy is a cast: an "
            "integer literal in float arithmetic (x * 2, or the 0 that sum() starts from) becomes one, 2.0 "
            "does not"
        )
    return LoweredProgram(
        buffer=edge.to_executorch().buffer,
        delegation=Delegation(
            subgraphs=info.num_delegated_subgraphs,
            delegated=info.num_delegated_nodes,
            non_delegated=info.num_non_delegated_nodes,
        ),
    )
