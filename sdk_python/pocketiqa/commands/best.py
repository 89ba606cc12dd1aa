"""``pocketiqa best PATH...``: groups shots of one scene and names the best of each, and why."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

from pocketiqa.best_shot import glance_cells, with_choices
from pocketiqa.errors import PhotoError, PocketiqaError, one_line
from pocketiqa.glance import glance_at
from pocketiqa.new_files import copy_new
from pocketiqa.outputs import Row, row_of
from pocketiqa.photo_arguments import add_photo_arguments, add_row_arguments, photos_of, scorer_of
from pocketiqa.row_run import run_rows, settings_of
from pocketiqa.scorer import Result
from pocketiqa.sidecar import STYLES, sidecar_of, write_sidecar

HELP = "group shots of one scene and name the best of each"
# What a sidecar says of the best of a group, and of each other; a photo that stands alone was not chosen among any.
STARS = {"best": 5, "other": 1}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_photo_arguments(parser)
    add_row_arguments(parser)
    parser.add_argument(
        "--within", type=_seconds, default=10, metavar="SECONDS",
        help="between two shots of a burst, by the time that EXIF gives (default: 10)",
    )  # fmt: skip
    parser.add_argument(
        "--xmp", choices=STYLES,
        help="write 5 stars for each best and 1 for each other: digikam to photo.jpg.xmp, lightroom to photo.xmp; an "
        "existing file stays as it is",
    )  # fmt: skip
    parser.add_argument(
        "--copy-to", metavar="DIR", type=Path,
        help="copy each best, and each photo that stands alone, to DIR; nothing is overwritten",
    )  # fmt: skip


def run(options: argparse.Namespace, stderr: IO[str]) -> int:
    # A photo that is named twice is no second shot.
    photos = list({os.path.realpath(photo): photo for photo in photos_of(options, stderr)}.values())
    if options.copy_to is not None and not options.copy_to.is_dir():
        raise PocketiqaError(f"--copy-to {options.copy_to} is no folder; make it first")
    scorer = scorer_of(options)
    attributes = scorer.attribute_names
    rows: list[Row] = []

    def finish(made: Iterator[Row]) -> list[Row]:
        rows.extend(with_choices(list(made), attributes, options.within))
        return rows

    counts = run_rows(
        options, photos, scorer, _columns(options.format, attributes), lambda result: _row(result, attributes), stderr,
        settings=settings_of(scorer, command="best"), finish=finish,
    )  # fmt: skip
    chosen = [row["choice"] for row in rows]
    many, alone = chosen.count("best"), chosen.count("single")
    print(f"pocketiqa: {many} groups of {many + chosen.count('other')} photos; {alone} stand alone", file=stderr)
    failed = counts["failed"]
    if options.xmp:
        rated = {sidecar_of(row["path"], options.xmp): STARS[row["choice"]] for row in rows if row["choice"] in STARS}
        made = _made(rated, lambda path: write_sidecar(path, rated[path]), stderr)
        kept = f"; {made[False]} existed and stay as they are" if made[False] else ""
        print(f"pocketiqa: {made[True]} sidecars written{kept}", file=stderr)
        failed += made["failed"]
    if options.copy_to is not None:
        wanted = [Path(row["path"]) for row in rows if row["choice"] in ("best", "single")]
        made = _made(wanted, lambda path: copy_new(path, options.copy_to) is not None, stderr)
        there = f"; {made[False]} were there" if made[False] else ""
        print(f"pocketiqa: {made[True]} photos copied to {options.copy_to}{there}", file=stderr)
        failed += made["failed"]
    return 1 if failed else 0


def _made(paths: Iterable[Path], make: Callable[[Path], bool], stderr: IO[str]) -> Counter[bool | str]:
    """How many files were made, were there already (False), or ``failed``, which keeps back no other."""
    made: Counter[bool | str] = Counter()
    for path in paths:
        try:
            made[make(path)] += 1
        except OSError as error:
            if not made["failed"]:
                print(f"pocketiqa: not written: {one_line(str(path))}: {error.strerror}", file=stderr)
            made["failed"] += 1
    if made["failed"] > 1:
        print(f"pocketiqa: not written either: {made['failed'] - 1} others", file=stderr)
    return made


def _row(result: Result, attributes: tuple[str, ...]) -> Row:
    row = row_of(result, attributes)
    if result.error is None:
        try:
            return row | glance_cells(glance_at(result.path))
        except PhotoError as error:  # changed since it was scored
            row |= {"score": None, "error": one_line(error)}
    return row | {"tones": None, "taken": None, "hash": None}


def _columns(style: str, attributes: tuple[str, ...]) -> dict[str, type]:
    details = {**dict.fromkeys([*attributes, "tones"], float), "taken": str} if style != "table" else {}
    return {"path": str, "group": int, "choice": str, "score": float, **details, "error": str, "why": str}


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds; give 0 or more")
    return seconds
