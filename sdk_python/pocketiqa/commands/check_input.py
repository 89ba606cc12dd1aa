"""``pocketiqa check-input BUNDLE TENSOR``: is an app's own input tensor right, and if not, what was done to it?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import IO

from pocketiqa.bundle import Bundle
from pocketiqa.check_input import check_input, read_tensor

HELP = "is an app's input tensor right? if not, what is wrong with it?"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", metavar="BUNDLE", type=Path)
    parser.add_argument("tensor", metavar="TENSOR", type=Path, help=".npy, or raw little-endian float32 values")
    parser.add_argument("--photo", metavar="FILE", type=Path, help="what it was made of (default: the bundle's photos)")


def run(options: argparse.Namespace, _: IO[str]) -> int:
    bundle = Bundle.open(options.bundle)
    check = check_input(bundle, read_tensor(options.tensor, bundle.manifest.input), options.photo)
    print(check)
    return 1 if check.mistakes else 0
