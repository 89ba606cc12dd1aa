"""Lowering an exported graph to an ExecuTorch program, ``.pte``.

Two backends: XNNPACK, which runs on any Arm or x86 processor, and Core ML, whose program builds on Linux and
runs on Apple devices only. Every program embeds its metadata, so a file separated from its bundle explains
itself.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.devtools.backend_debug import get_delegation_info
from executorch.exir import EdgeProgramManager, to_edge_transform_and_lower

METADATA_METHOD = "metadata"

# What ExecuTorch's own graph needs around a delegate; it computes nothing.
_PLUMBING = frozenset({"getitem"})


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
    return _lower(exported, metadata, XnnpackPartitioner(), "XNNPACK")


def lower_to_coreml_pte(exported: torch.export.ExportedProgram, metadata: dict) -> LoweredProgram:
    """Lower a float or a converted int8 graph to one Core ML subgraph inside a ``.pte``, float16, iOS 17.

    Built without a Mac and executed only on Apple devices: nothing on Linux verifies this file beyond its
    delegation. The delegate carries a random identifier, so two builds differ. Arguments and error are those
    of :func:`lower_to_xnnpack`.
    """
    # Imported here: coremltools has no build for Windows or Linux on Arm, where XNNPACK lowering still works.
    import coremltools as ct
    from executorch.backends.apple.coreml.compiler import CoreMLBackend
    from executorch.backends.apple.coreml.partition import CoreMLPartitioner

    specs = CoreMLBackend.generate_compile_specs(
        compute_precision=ct.precision.FLOAT16, minimum_deployment_target=ct.target.iOS17
    )
    return _lower(exported, metadata, CoreMLPartitioner(compile_specs=specs), "Core ML")


def _lower(exported: torch.export.ExportedProgram, metadata: dict, partitioner: object, backend: str) -> LoweredProgram:
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
        if counts.non_delegated and name not in _PLUMBING
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
