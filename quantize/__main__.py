"""``python -m quantize --images DIR``: the float student to int8, by PTQ and by QAT; the better is written."""

from __future__ import annotations

import sys

import tyro

from quantize.calibration import CalibrationError
from quantize.quantize_student import QuantizeConfig, quantize_student


def main() -> int:
    config = tyro.cli(QuantizeConfig, prog="python -m quantize", description=__doc__)
    try:
        print(quantize_student(config))
    except (CalibrationError, FileNotFoundError, ValueError) as error:
        print(f"quantize: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
