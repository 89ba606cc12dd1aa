"""``pocketiqa score PATH...``: a row a photo, as a table, CSV or JSON lines."""

from __future__ import annotations

import argparse
from typing import IO

from pocketiqa.outputs import columns_of, row_of
from pocketiqa.photo_arguments import add_photo_arguments, add_row_arguments, photos_of, scorer_of
from pocketiqa.row_run import run_rows, settings_of, used

HELP = "score photos"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_photo_arguments(parser)
    add_row_arguments(parser)


def run(options: argparse.Namespace, stderr: IO[str]) -> int:
    photos = photos_of(options, stderr)
    scorer = scorer_of(options)
    attributes = scorer.attribute_names
    counts = run_rows(
        options, photos, scorer, columns_of(attributes), lambda result: row_of(result, attributes), stderr,
        settings=settings_of(scorer, command="score"),
    )  # fmt: skip
    how = f"{used(scorer)}, {options.workers} workers"
    print(f"pocketiqa: scored {counts['scored']} of {len(photos)} photos ({how})", file=stderr)
    return 1 if counts["failed"] else 0
