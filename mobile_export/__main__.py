"""``python -m mobile_export [diagnose|agreement|embed|gallery|golden|integration]``; without a word it builds."""

from __future__ import annotations

import importlib
import logging
import sys
import warnings

import tyro
from pocketiqa.exit_status import run_command

PROG = "python -m mobile_export"
COMMANDS = ("diagnose", "agreement", "embed", "gallery", "golden", "integration")


def main() -> int:
    _quiet()
    arguments = sys.argv[1:]
    named = arguments.pop(0) if arguments and arguments[0] in COMMANDS else ""
    command = importlib.import_module(f"mobile_export.commands.{named or 'build'}")
    prog = f"{PROG} {named}".rstrip()
    config = tyro.cli(command.Config, prog=prog, description=command.__doc__, args=arguments)
    return run_command(prog, lambda: command.run(config))


def _quiet() -> None:
    """The libraries' remarks on their own versions and platforms hide the table that matters."""
    warnings.simplefilter("ignore")
    for name in ("torch", "torch.utils._pytree", "coremltools", "executorch"):
        logging.getLogger(name).setLevel(logging.ERROR)


if __name__ == "__main__":
    sys.exit(main())
