"""``pocketiqa score PATH...``: a row a photo, as a table, CSV or JSON lines."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pocketiqa import __version__
from pocketiqa.errors import PocketiqaError
from pocketiqa.files import atomic_file
from pocketiqa.outputs import FORMATS, row_writer
from pocketiqa.photo_list import find_photos
from pocketiqa.scorer import Scorer
from pocketiqa.standard_error import photo_bar

HELP = "score photos"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a photo, or a folder of photos")
    parser.add_argument(
        "--bundle",
        metavar="BUNDLE",
        help="the bundle to score with, a folder or .pocketiqa file (default: the one shipped)",
    )
    parser.add_argument("--variant", choices=("int8", "fp32"), default="int8")
    parser.add_argument("--format", choices=FORMATS, default="table")
    parser.add_argument("-o", dest="output", metavar="FILE", type=Path, help="default: standard output")
    parser.add_argument("--recursive", action="store_true", help="descend into folders")


def run(options: argparse.Namespace, stderr: IO[str]) -> int:
    photos, skipped = find_photos(options.paths, options.recursive)
    if skipped:
        print(f"pocketiqa: skipped {skipped} files that are no photos by their names", file=stderr)
    if not photos:
        raise PocketiqaError("no photos there; name photos, or folders that hold some (--recursive descends)")
    if options.output is not None:
        _check_output(options.output, photos)
    scorer = Scorer(options.bundle, options.variant)
    failed = 0
    with _output(options.output) as file:
        write = row_writer(file, options.format, scorer.attribute_names, max(map(len, photos)))
        for result in photo_bar(stderr)(scorer.batch(photos), total=len(photos)):
            write(result)
            failed += result.error is not None
        used = f"{scorer.bundle.label} {scorer.variant}, {scorer.runtime_name}"
        if options.format == "table":
            print(f"scored with {used}", file=file)
    if options.output is not None and options.format == "csv":
        _write_provenance(options.output, scorer, len(photos), failed)
    print(f"pocketiqa: scored {len(photos) - failed} of {len(photos)} photos ({used})", file=stderr)
    return 1 if failed else 0


def _check_output(output: Path, photos: list[str]) -> None:
    # A device or FIFO would be replaced by the file: `-o /dev/null` is no way to throw results away.
    if os.path.lexists(output) and not os.path.isfile(output):
        raise PocketiqaError(f"-o {output} is a folder, or no regular file; name a file")
    if not os.path.isdir(output.absolute().parent):
        raise PocketiqaError(f"-o {output} names no place: give a file in a folder that exists")
    if os.path.exists(output) and any(os.path.exists(photo) and output.samefile(photo) for photo in photos):
        raise PocketiqaError(f"-o {output} is one of the photos; name another file")


@contextlib.contextmanager
def _output(path: Path | None) -> Iterator[IO[str]]:
    if path is None:
        yield sys.stdout
        return
    try:
        with atomic_file(path, newline="") as file:
            yield file
    except OSError as error:
        raise PocketiqaError(f"-o {path} cannot be written: {error.strerror}") from None


def _write_provenance(output: Path, scorer: Scorer, photos: int, failed: int) -> None:
    """CSV has no place beside its columns for what made it, so a neighbour ``FILE.run.json`` holds that."""
    made_by = {
        "pocketiqa": __version__,
        "bundle": scorer.bundle.label,
        "variant": scorer.variant,
        "runtime": scorer.runtime_name,
        "photos": photos,
        "failed": failed,
    }
    with _output(output.with_name(f"{output.name}.run.json")) as file:
        file.write(json.dumps(made_by, indent=2) + "\n")
