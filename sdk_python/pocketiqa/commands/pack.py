"""``pocketiqa pack BUNDLE FILE.pocketiqa``: a bundle's folder as one file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import IO

from pocketiqa.packing import pack

HELP = "write a bundle's folder as one .pocketiqa file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", metavar="BUNDLE", type=Path)
    parser.add_argument("file", metavar="FILE.pocketiqa", type=Path)


def run(options: argparse.Namespace, stderr: IO[str]) -> int:
    print(f"pocketiqa: {pack(options.bundle, options.file)} written", file=stderr)
    return 0
