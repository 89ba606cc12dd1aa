"""The command ``pocketiqa``, also ``python -m pocketiqa``: parses and calls one of ``pocketiqa.commands``.

Exit status: 0 all well; 1 a photo could not be scored, or a check failed; 2 a mistake in how it was called.
"""

from __future__ import annotations

import argparse

from pocketiqa import __version__
from pocketiqa.commands import COMMANDS
from pocketiqa.errors import BundleError
from pocketiqa.exit_status import run_command
from pocketiqa.guard import guarded
from pocketiqa.standard_error import quiet_runtimes
from pocketiqa.standard_streams import complete_streams


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status.

    Without ``arguments`` the process's own are taken, and the command runs guarded: a crash of native code is
    then one line and status 1 (`pocketiqa.guard`).
    """
    complete_streams()
    options = _parser().parse_args(arguments)
    return _run(options) if arguments is not None else guarded(lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pocketiqa", description="Photo quality with pocketiqa bundles.")
    parser.add_argument("--version", action="version", version=f"pocketiqa {__version__}")
    named = {command.__name__.rpartition(".")[2].replace("_", "-"): command for command in COMMANDS}
    subparsers = parser.add_subparsers(required=True, metavar="|".join(named))
    for name, command in named.items():
        subparser = subparsers.add_parser(name, help=command.HELP)
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    return parser


def _run(options: argparse.Namespace) -> int:
    def run() -> int:
        with quiet_runtimes() as stderr:
            try:
                return options.run(options, stderr)
            except RecursionError:
                raise BundleError("the bundle's manifest is nested too deep to be real") from None

    return run_command("pocketiqa", run)
