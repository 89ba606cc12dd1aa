"""``python -m quantize --images DIR [--mos CSV]``: the float student to int8; see README.md in this folder.

Further commands: compare, sensitivity, robustness, traps, hard-network.
"""

from __future__ import annotations

import sys

import tyro

from quantize.calibration import CalibrationError
from quantize.experiments.compare import CompareConfig, compare_recipes
from quantize.experiments.hard_network import HardNetworkConfig, train_hard_network
from quantize.experiments.robustness import RobustnessConfig, measure_robustness
from quantize.experiments.sensitivity_table import SensitivityConfig, measure_sensitivity
from quantize.experiments.traps import TrapsConfig, measure_traps
from quantize.quantize_student import QuantizeConfig, quantize_student

_COMMANDS = {
    "student": (QuantizeConfig, quantize_student),
    "compare": (CompareConfig, compare_recipes),
    "sensitivity": (SensitivityConfig, measure_sensitivity),
    "robustness": (RobustnessConfig, measure_robustness),
    "traps": (TrapsConfig, measure_traps),
    "hard-network": (HardNetworkConfig, train_hard_network),
}


def main() -> int:
    """Run one command, ``student`` where none is named; 0 done, 1 a bound broken, 2 misuse."""
    arguments = sys.argv[1:]
    if arguments and arguments[0].startswith("-") and arguments[0] not in ("-h", "--help"):
        arguments = ["student", *arguments]
    configs = {name: config for name, (config, _) in _COMMANDS.items()}
    config = tyro.extras.subcommand_cli_from_dict(
        configs, prog="python -m quantize", description=__doc__, args=arguments
    )
    run = next(run for kind, run in _COMMANDS.values() if type(config) is kind)
    try:
        text, holds = run(config)
    except (CalibrationError, FileNotFoundError, ValueError) as error:
        print(f"quantize: {error}", file=sys.stderr)
        return 2
    print(text)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
