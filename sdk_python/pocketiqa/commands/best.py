"""``pocketiqa best PATH...``: groups shots of one scene and names the best of each, and why."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
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
    if options.xmp:
        rated = [(sidecar_of(row["path"], options.xmp), STARS[row["choice"]]) for row in rows if row["choice"] in STARS]
        written = sum(write_sidecar(path, stars) for path, stars in rated)
        kept = f"; {len(rated) - written} existed and stay as they are" if written < len(rated) else ""
        print(f"pocketiqa: {written} sidecars written{kept}", file=stderr)
    if options.copy_to is not None:
        wanted = [Path(row["path"]) for row in rows if row["choice"] in ("best", "single")]
        copied = [path for path in wanted if copy_new(path, options.copy_to)]
        there = f"; {len(wanted) - len(copied)} were there" if len(copied) < len(wanted) else ""
        print(f"pocketiqa: {len(copied)} photos copied to {options.copy_to}{there}", file=stderr)
    return 1 if counts["failed"] else 0


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
