"""``pocketiqa report PATH... -o report.html``: photos and their scores as one page that can be sorted and filtered."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import IO

from pocketiqa.commands.gate import read_gate
from pocketiqa.errors import PocketiqaError
from pocketiqa.journal import Journal
from pocketiqa.outputs import columns_of, row_writer
from pocketiqa.photo_arguments import add_photo_arguments, check_output, photos_of, scorer_of
from pocketiqa.report.page import write_page
from pocketiqa.report.rows import report_row
from pocketiqa.row_run import finished_rows, settings_of, used, whole_output

HELP = "show photos and their scores as one HTML page"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_photo_arguments(parser)
    parser.add_argument("-o", dest="output", metavar="FILE", type=Path, required=True, help="the page, one HTML file")
    parser.add_argument("--csv", metavar="FILE", type=Path, help="write the rows as CSV too")
    parser.add_argument(
        "--gate", metavar="FILE",
        help="decide of each photo too, by a gate of fit-gate or your own; `default` is the bundle's",
    )  # fmt: skip
    parser.add_argument("--title", help="of the page (default: the paths)")
    parser.add_argument("--resume", action="store_true", help="go on with the rows that a stopped run left for FILE")


def run(options: argparse.Namespace, stderr: IO[str]) -> int:
    photos = photos_of(options, stderr)
    if options.csv is not None:
        check_output(options.csv, photos)
        if options.csv.absolute() == options.output.absolute():
            raise PocketiqaError(f"-o and --csv both name {options.csv}; give two files")
    scorer = scorer_of(options)
    attributes = scorer.attribute_names
    gate = (
        None if options.gate is None else read_gate(None if options.gate == "default" else options.gate, scorer, stderr)
    )
    settings = settings_of(scorer, command="report", **({} if gate is None else {"gate": gate.to_dict()}))
    with Journal(options.output, settings, resume=options.resume) as journal:
        rows = finished_rows(
            photos, scorer, lambda result: report_row(result, attributes, gate),
            workers=options.workers, stderr=stderr, journal=journal,
        )  # fmt: skip
        failed = sum(row["error"] is not None for row in rows)
        with whole_output(options.output) as file:
            title = options.title or f"Photo quality of {', '.join(options.paths) or 'photos'}"
            write_page(file, options.output, title, attributes, map(journal.row, photos), settings)
        if options.csv is not None:
            columns = columns_of(attributes) | ({} if gate is None else {"decision": str, "reasons": str})
            with whole_output(options.csv) as file:
                write = row_writer(file, "csv", columns, photos)
                for photo in photos:
                    write(journal.row(photo))
        journal.remove()
    print(
        f"pocketiqa: {options.output} shows {len(photos) - failed} photos; {failed} could not be scored "
        f"({used(scorer)})",
        file=stderr,
    )
    return 1 if failed else 0
