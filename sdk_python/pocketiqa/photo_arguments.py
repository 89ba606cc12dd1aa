"""What every command over photos is called with: which photos, which program, and where the rows go."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from pocketiqa.ahead import usable_cores
from pocketiqa.errors import PocketiqaError
from pocketiqa.limits import BYTES_A_PIXEL, PhotoLimits
from pocketiqa.outputs import FORMATS
from pocketiqa.parquet import import_pyarrow
from pocketiqa.photo_list import find_photos, read_paths
from pocketiqa.scorer import Scorer


def add_photo_arguments(parser: argparse.ArgumentParser) -> None:
    """Which photos, and with what they are scored; ``photos_of`` and ``scorer_of`` read them."""
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="a photo, or a folder of photos; - reads paths from standard input"
    )
    parser.add_argument("--recursive", action="store_true", help="descend into folders")
    parser.add_argument("--files-from", metavar="LIST", help="a file of paths, one a line; - is standard input")
    parser.add_argument("-0", dest="nul", action="store_true", help="paths in LIST and on stdin end with NUL")
    add_scorer_arguments(parser)


def add_scorer_arguments(parser: argparse.ArgumentParser) -> None:
    """With what photos are scored, for ``scorer_of``."""
    parser.add_argument(
        "--bundle",
        metavar="BUNDLE",
        help="the bundle to score with, a folder or .pocketiqa file (default: the one shipped)",
    )
    parser.add_argument("--variant", choices=("int8", "fp32"), default="int8")
    parser.add_argument(
        "--workers",
        type=_workers,
        default=min(4, usable_cores()),
        metavar="N",
        help="decode N photos at a time, each in the memory that it takes decoded (default: one a core, up to 4)",
    )
    parser.add_argument(
        "--max-megapixels",
        type=_positive,
        metavar="N",
        help="refuse a photo of more, but decode a JPEG of more at 1/2 to 1/8 of its sides; costs "
        f"{BYTES_A_PIXEL} MB of memory a megapixel and worker (default: {PhotoLimits().max_pixels / 1e6:.0f})",
    )
    parser.add_argument(
        "--max-bytes",
        type=_positive,
        metavar="N",
        help=f"refuse a file of more; costs three times N in memory a worker (default: {PhotoLimits().max_bytes})",
    )
    parser.add_argument("--strict", action="store_true", help="refuse a photo that would be scored with a warning")


def add_row_arguments(parser: argparse.ArgumentParser, formats: Sequence[str] = FORMATS) -> None:
    """Where a row a photo goes; ``pocketiqa.row_run`` reads them."""
    parser.add_argument("--format", choices=formats, default="table")
    parser.add_argument("-o", dest="output", metavar="FILE", type=Path, help="default: standard output")
    parser.add_argument("--resume", action="store_true", help="go on with the rows that a stopped run left for FILE")


def photos_of(options: argparse.Namespace, stderr: IO[str]) -> list[str]:
    """The photos that the arguments name, at least one.

    Raises:
        PocketiqaError: there is none, or ``-o`` names no file that can be written.
    """
    _check_together(options)
    paths = [path for path in options.paths if path != "-"]
    if options.files_from not in (None, "-"):
        paths += read_paths(options.files_from, options.nul)
    if "-" in (*options.paths, options.files_from):
        paths += read_paths(None, options.nul)
    photos, skipped = find_photos(paths, options.recursive)
    for what, number in skipped.items():
        print(f"pocketiqa: skipped {number} {what}", file=stderr)
    if not photos:
        raise PocketiqaError("no photos there; name photos, or folders that hold some (--recursive descends)")
    if getattr(options, "output", None) is not None:
        check_output(options.output, photos)
    return photos


def scorer_of(options: argparse.Namespace) -> Scorer:
    """The scorer that the arguments name."""
    given = {"max_pixels": options.max_megapixels, "max_bytes": options.max_bytes}
    scales = {"max_pixels": 1e6, "max_bytes": 1}
    limits = {name: max(1, round(value * scales[name])) for name, value in given.items() if value}
    return Scorer(options.bundle, options.variant, limits=PhotoLimits(**limits), strict=options.strict)


def check_output(output: Path, photos: list[str]) -> None:
    """Raises PocketiqaError where ``-o`` names a folder, a device, one of the photos, or no place at all."""
    # A device or FIFO would be replaced by the file: `-o /dev/null` is no way to throw results away.
    if os.path.islink(os.path.realpath(output)):
        raise PocketiqaError(f"-o {output} is a link that leads to itself; name a file")
    if os.path.exists(output) and not os.path.isfile(output):
        raise PocketiqaError(f"-o {output} is a folder, or no regular file; name a file")
    if not os.path.isdir(output.absolute().parent):
        raise PocketiqaError(f"-o {output} names no place: give a file in a folder that exists")
    if os.path.exists(output) and any(os.path.exists(photo) and output.samefile(photo) for photo in photos):
        raise PocketiqaError(f"-o {output} is one of the photos; name another file")


def _check_together(options: argparse.Namespace) -> None:
    """Raises PocketiqaError for arguments that say nothing, or contradict each other."""
    if not options.paths and options.files_from is None:
        raise PocketiqaError("name photos or folders, or --files-from LIST")
    if options.nul and options.files_from is None and "-" not in options.paths:
        raise PocketiqaError("-0 says how --files-from LIST and - are read; give one of them")
    parquet = getattr(options, "format", None) == "parquet"
    if getattr(options, "output", None) is None:
        if getattr(options, "resume", False):
            raise PocketiqaError("--resume needs -o FILE: it goes on with the rows that a stopped run left for FILE")
        if parquet:
            raise PocketiqaError("--format parquet needs -o FILE: it is no text for standard output")
    if parquet:
        import_pyarrow()


def _workers(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of workers; give 1 to 256")
    return int(text)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 1e-6 <= value <= 1e12:
        raise argparse.ArgumentTypeError(f"{text!r} is no limit; give a number above 0")
    return value
