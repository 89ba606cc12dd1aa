"""What can be wrong with a package or with what it is given."""

from __future__ import annotations


class MilError(RuntimeError):
    """The package cannot be read, or its program cannot be executed on the given inputs."""


class UnknownOperator(MilError):
    """The program uses an operator that the reference interpreter does not implement."""

    def __init__(self, operator: str, output: str, package: str) -> None:
        super().__init__(
            f"{package}: operator {operator!r}, which computes {output!r}, is not implemented by the "
            "reference interpreter. Add it to mobile_export/verify/mil_reference with a test against torch, or keep "
            "it out of the network"
        )
        self.operator = operator
        self.output = output
