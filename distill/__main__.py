"""``python -m distill``: train the student, and measure what its design rests on."""

from __future__ import annotations

import json
import sys

import tyro

from distill.input_policy import InputPolicyConfig, measure_input_policies
from distill.leave_one_out import LeaveOneOutConfig, leave_one_source_out
from distill.mos_sets import MosSetError
from distill.train_student import StudentConfig, train_student

_COMMANDS = {
    "student": (StudentConfig, lambda config: json.dumps(train_student(config)["validation"], indent=2)),
    "leave-one-out": (LeaveOneOutConfig, leave_one_source_out),
    "input-policy": (InputPolicyConfig, measure_input_policies),
}


def main() -> int:
    configs = {name: config for name, (config, _) in _COMMANDS.items()}
    config = tyro.extras.subcommand_cli_from_dict(configs, prog="python -m distill", description=__doc__)
    run = next(run for kind, run in _COMMANDS.values() if isinstance(config, kind))
    try:
        print(run(config))
    except MosSetError as error:
        print(f"distill: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
