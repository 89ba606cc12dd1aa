"""``python -m benchmarks``: accuracy, latency, devices and peers; see README.md in this folder.

Exit status: 0 done; 1 wrong scores, an incomplete measurement or a regression; 2 misuse; 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import importlib
import sys

from pocketiqa.exit_status import run_command

# Command → what it does. Its function has the same name, in the module of the same name in benchmarks.commands, and is
# imported when it is called: some need torch, which takes seconds.
COMMANDS = {
    "latency": "measure a bundle on a device, after checking that it scores right there",
    "end-to-end": "time decode, preprocess, inference and read-out of one photo on this machine",
    "throughput": "photos a second by size, format and workers, and the share of what the slowest stage allows",
    "browser": "time decode, preprocess and inference of one photo in Chromium",
    "roofline": "show how near a program comes to what one core can multiply and move, by layer",
    "operators": "show where a program's time goes, by kind of operator",
    "accuracy": "agreement of a bundle's scores with mean opinion scores",
    "gate": "does a gate keep its promise, and what does it catch beside single thresholds?",
    "consistency": "does the score fall as a photo gets worse, and stay for a mirrored or cropped one?",
    "bursts": "does `pocketiqa best` group a burst, and find its clean shot?",
    "peers": "measure other runtimes and other networks in turns with a bundle",
    "compare": "is the second perf.json slower than the first?",
}


def main() -> int:
    """Run one command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[2])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, purpose in COMMANDS.items():
        commands.add_parser(name, help=purpose, add_help=False)
    command = parser.parse_args(sys.argv[1:2]).command
    return run_command("benchmarks", lambda: _call(command), interrupted="interrupted before anything was measured")


def _call(command: str) -> int:
    import tyro

    name = command.replace("-", "_")
    function = getattr(importlib.import_module(f"benchmarks.commands.{name}"), name)
    return tyro.cli(function, prog=f"python -m benchmarks {command}", args=sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
