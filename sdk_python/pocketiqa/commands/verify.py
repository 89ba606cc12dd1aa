"""``pocketiqa verify BUNDLE``: hashes, golden scores, and int8 against fp32."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import IO

from pocketiqa.errors import PocketiqaError
from pocketiqa.gate import Gate
from pocketiqa.photo_list import find_photos
from pocketiqa.standard_error import photo_bar
from pocketiqa.verification import verify_bundle

HELP = "check a bundle's hashes, golden scores and int8 against fp32"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", metavar="BUNDLE", type=Path)
    parser.add_argument("--images", metavar="DIR", help="compare int8 with fp32 on these photos")
    parser.add_argument(
        "--gate", metavar="FILE", help="count the photos that this gate decides otherwise (default: the bundle's)"
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--diagnose", action="store_true", help="say how to find the layer that broke")


def run(options: argparse.Namespace, stderr: IO[str]) -> int:
    images = None if options.images is None else _photos_in(options.images)
    gate = None if options.gate is None else Gate.read(options.gate)
    verification = verify_bundle(options.bundle, images, progress=photo_bar(stderr), gate=gate)
    print(json.dumps(verification.to_dict(), indent=2) if options.json else verification)
    if options.diagnose:
        # Layers are compared with the torch graph, which the SDK does without.
        print(f"layer by layer, in a checkout: python -m mobile_export diagnose --bundle {options.bundle}", file=stderr)
    return 1 if verification.broken else 0


def _photos_in(folder: str) -> list[Path]:
    if not os.path.isdir(folder):
        raise PocketiqaError(f"--images {folder} is no folder")
    found, _ = find_photos([folder], recursive=True)
    if not found:
        raise PocketiqaError(f"--images {folder} holds no photos")
    return [Path(photo) for photo in found]
