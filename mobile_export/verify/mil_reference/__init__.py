"""Reads an ``.mlpackage`` from disk and executes its MIL program on any machine: Core ML's reference, no Mac.

``MilProgram.read(path).run({"photo": array})`` gives the outputs; ``trace`` gives every operator's output.
"""

from mobile_export.verify.mil_reference.errors import MilError, UnknownOperator
from mobile_export.verify.mil_reference.native import coreml_predict
from mobile_export.verify.mil_reference.program import MilProgram, Precision

__all__ = ["MilError", "MilProgram", "Precision", "UnknownOperator", "coreml_predict"]
