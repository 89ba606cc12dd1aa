"""Which operators of a network the wanted artifacts' backends do not take."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from distill.contract import ContractError
from mobile_export.artifact import Artifact


def check_operators(network: str, exported: torch.export.ExportedProgram, artifacts: Sequence[Artifact]) -> None:
    """Say what a backend cannot take before minutes of building.

    Raises:
        ContractError: names every operator and artifact, and what to do.
    """
    lines, names = [], []
    for artifact in artifacts:
        if artifact.unsupported and (operators := artifact.unsupported(exported)):
            names.append(artifact.name)
            lines.append(f"{artifact.name} does not take {', '.join(operators)}")
    if names:
        raise ContractError(
            f"{network}: {'; '.join(lines)}. Express them in other operators in the network, or leave these artifacts "
            f"out: --skip {' '.join(names)}"
        )
