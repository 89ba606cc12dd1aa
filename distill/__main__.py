"""``python -m distill``: train the student, and measure what its design rests on."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import tyro

from distill.leave_one_out import LeaveOneOutConfig, leave_one_source_out
from distill.mos_sets import MosSetError
from distill.train_student import StudentConfig, train_student

Command = (
    Annotated[StudentConfig, tyro.conf.subcommand("student", description=train_student.__doc__)]
    | Annotated[
        LeaveOneOutConfig, tyro.conf.subcommand("leave-one-out", description=leave_one_source_out.__doc__)
    ]
)


def main() -> int:
    command = tyro.cli(Command, prog="python -m distill", description=__doc__)
    try:
        if isinstance(command, StudentConfig):
            print(json.dumps(train_student(command)["validation"], indent=2))
        else:
            print(leave_one_source_out(command))
    except MosSetError as error:
        print(f"distill: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
