"""Questions about int8, each a command; the answers are in RESULTS.md beside this file.

    python -m quantize.experiments compare --images DIR --mos CSV --recipes shipped PTQ   # recipes side by side
    python -m quantize.experiments sensitivity --images DIR      # each layer alone in int8, alone in float
    python -m quantize.experiments robustness --images DIR       # where int8 drifts, one HTML page
    python -m quantize.experiments traps --images DIR            # what each trap of the toolchain costs
    python -m quantize.experiments layouts --out DIR             # programs of other layouts, for benchmarks to time
"""

from __future__ import annotations

import sys

import tyro
from pocketiqa.exit_status import run_command

from quantize.experiments.compare import CompareConfig, compare_recipes
from quantize.experiments.layouts import LayoutsConfig, write_layouts
from quantize.experiments.robustness import RobustnessConfig, measure_robustness
from quantize.experiments.sensitivity import SensitivityConfig, measure_sensitivity
from quantize.experiments.traps import TrapsConfig, measure_traps

_COMMANDS = {
    "compare": (CompareConfig, compare_recipes),
    "sensitivity": (SensitivityConfig, measure_sensitivity),
    "robustness": (RobustnessConfig, measure_robustness),
    "traps": (TrapsConfig, measure_traps),
    "layouts": (LayoutsConfig, write_layouts),
}


def main() -> int:
    """0 done, 2 misuse."""
    configs = {name: config for name, (config, _) in _COMMANDS.items()}
    config = tyro.extras.subcommand_cli_from_dict(configs, prog="python -m quantize.experiments", description=__doc__)
    run = next(run for kind, run in _COMMANDS.values() if type(config) is kind)
    return run_command("quantize.experiments", lambda: print(run(config)))


if __name__ == "__main__":
    sys.exit(main())
