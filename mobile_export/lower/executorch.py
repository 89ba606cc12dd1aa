"""Lowering an exported graph to an ExecuTorch program, ``.pte``, for XNNPACK: any Arm or x86 processor.

``coreml_pte.py`` shares ``lower``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from executorch.devtools.backend_debug import get_delegation_info
from executorch.exir import EdgeProgramManager, to_edge_transform_and_lower
from pocketiqa.runtime import load_program
from pocketiqa.standard_error import quiet_runtimes

from mobile_export.lower.request import Delegation, Request, Run
from quantize.partition import AcyclicXnnpackPartitioner

METADATA_METHOD = "metadata"

# What ExecuTorch's own graph needs around a delegate; it computes nothing.
_PLUMBING = frozenset({"getitem"})


class DelegationError(RuntimeError):
    """The backend did not take the whole graph as one subgraph."""

    exit_status = 1


@dataclass(frozen=True)
class LoweredProgram:
    """The bytes of a ``.pte`` file and what its backend took."""

    buffer: bytes
    delegation: Delegation


def write_xnnpack(request: Request) -> Delegation:
    """Write a float or a converted int8 graph as a ``.pte``; see :func:`lower_to_xnnpack`."""
    lowered = lower_to_xnnpack(request.graph, request.metadata, request.in_pieces)
    request.path.write_bytes(lowered.buffer)
    return lowered.delegation


def open_program(path: Path) -> Run:
    """The quality vector that the official runtime gives."""
    # It remarks on the processor, across the progress bar.
    with quiet_runtimes():
        program = load_program(path.read_bytes(), prefer="executorch")
    return lambda views: program.run(np.ascontiguousarray(views))[0]


def lower_to_xnnpack(
    exported: torch.export.ExportedProgram, metadata: dict, in_pieces: bool = False
) -> LoweredProgram:
    """Lower a float or a converted int8 graph to one XNNPACK subgraph. The same graph gives the same bytes.

    Args:
        exported: from ``torch.export.export``, with the shapes that the program is to have.
        metadata: JSON-serialisable; the program's constant method ``metadata`` returns it as UTF-8 bytes in a
            one-dimensional uint8 tensor, the one form that every ExecuTorch runtime can return.
        in_pieces: whether operators that XNNPACK does not take may stay outside, which is right and slower.

    Raises:
        DelegationError: XNNPACK took none of the graph, or more than one piece of it without ``in_pieces``.
    """
    return lower(exported, metadata, AcyclicXnnpackPartitioner(), "XNNPACK", in_pieces)


def lower(
    exported: torch.export.ExportedProgram, metadata: dict, partitioner: object, backend: str, in_pieces: bool
) -> LoweredProgram:
    """Lower to subgraphs of the backend that ``partitioner`` speaks for; see :func:`lower_to_xnnpack`."""
    text = json.dumps(metadata, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()
    edge: EdgeProgramManager = to_edge_transform_and_lower(
        exported,
        partitioner=[partitioner],
        constant_methods={METADATA_METHOD: torch.frombuffer(bytearray(text), dtype=torch.uint8)},
    )
    info = get_delegation_info(edge.exported_program().graph_module)
    outside = tuple(
        f"{name} ×{counts.non_delegated}"
        for name, counts in sorted(info.delegation_by_operator.items())
        if counts.non_delegated and name not in _PLUMBING
    )
    whole = info.num_delegated_subgraphs == 1 and not outside
    if not whole and not (in_pieces and info.num_delegated_subgraphs):
        listing = ", ".join(outside) or "none"
        raise DelegationError(
            f"{backend} took the graph in {info.num_delegated_subgraphs} subgraphs; one that holds every "
            f"operator is allowed. Left outside: {listing}. Rewrite these operators in the network, or keep "
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
            outside=outside,
        ),
    )
