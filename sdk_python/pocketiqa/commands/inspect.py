"""``pocketiqa inspect BUNDLE|FILE.pte``: inputs, outputs, delegation, sizes, hashes, versions."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import IO

from pocketiqa.archive import is_archive
from pocketiqa.inspection import as_text, inspect_bundle, inspect_program

HELP = "say what a bundle or a .pte file is"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="BUNDLE|FILE.pte", type=Path)
    parser.add_argument("--json", action="store_true")


def run(options: argparse.Namespace, _: IO[str]) -> int:
    is_bundle = os.path.isdir(options.target) or is_archive(options.target)
    found = inspect_bundle(options.target) if is_bundle else inspect_program(options.target)
    print(json.dumps(found, indent=2) if options.json else as_text(found))
    return 1 if found["problems"] else 0
