"""What a backend is given to make an artifact, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

# The quality vector, 1×(1 + attributes), of one input tensor.
Run = Callable[[np.ndarray], np.ndarray]


class NotBuilt(Exception):
    """An artifact cannot be made on this machine; the message is the reason, and the bundle says so."""


@dataclass(frozen=True)
class Request:
    """One artifact to write.

    Attributes:
        graph: the exported graph that it is lowered from, with one input of fixed shape.
        metadata: JSON-ready; the artifact carries it, so that a file separated from its bundle explains itself.
        path: where to write it; its folder exists.
        inputs: input tensors of the golden photos.
        needed: paths of the artifacts that this one is made from.
        in_pieces: whether an ExecuTorch backend may leave operators outside its subgraph.
    """

    graph: torch.export.ExportedProgram
    metadata: dict[str, object]
    path: Path
    inputs: Sequence[np.ndarray] = ()
    needed: Mapping[str, Path] | None = None
    in_pieces: bool = False


@dataclass(frozen=True)
class Delegation:
    """How much of a graph an ExecuTorch backend took.

    Attributes:
        subgraphs: into which it fell.
        delegated, non_delegated: nodes inside and outside them.
        outside: operators that compute outside, with their counts; ExecuTorch's own kernels run them.
    """

    subgraphs: int
    delegated: int
    non_delegated: int
    outside: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, int]:
        """JSON-ready: the three counts."""
        return {"subgraphs": self.subgraphs, "delegated": self.delegated, "non_delegated": self.non_delegated}
