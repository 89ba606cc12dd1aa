"""``pocketiqa unpack FILE.pocketiqa DIR``: a packed bundle as a folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import IO

from pocketiqa.packing import unpack

HELP = "write a .pocketiqa file as a bundle's folder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE.pocketiqa", type=Path)
    parser.add_argument("folder", metavar="DIR", type=Path)


def run(options: argparse.Namespace, stderr: IO[str]) -> int:
    print(f"pocketiqa: {unpack(options.file, options.folder)} written", file=stderr)
    return 0
