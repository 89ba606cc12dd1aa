"""``python -m quantize --images DIR [--mos CSV]``: a float network to int8; see README.md in this folder.

Questions about int8 and their answers: ``python -m quantize.experiments``.
"""

from __future__ import annotations

import sys

import tyro
from pocketiqa.exit_status import run_command

from quantize.quantize_network import QuantizeConfig, quantize_network

_PROG = "python -m quantize"


def main() -> int:
    """0 done, 1 written but the promise is broken or ``--max-drop`` is not kept, 2 misuse."""
    config = tyro.cli(QuantizeConfig, prog=_PROG, description=__doc__)

    def run() -> int:
        text, holds = quantize_network(config)
        print(text)
        return 0 if holds else 1

    return run_command("quantize", run)


if __name__ == "__main__":
    sys.exit(main())
