"""``pocketiqa fit-gate``: thresholds from photos that people accept or refuse, with a promise about false refusals."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import IO

import numpy as np

from pocketiqa.errors import PocketiqaError
from pocketiqa.gate import SCORE
from pocketiqa.gate_fitting import check_enough, fit_gate
from pocketiqa.journal import Journal
from pocketiqa.labelled_photos import photos_in_folders, read_labels
from pocketiqa.outputs import row_of
from pocketiqa.photo_arguments import add_scorer_arguments, check_output, scorer_of
from pocketiqa.row_run import finished_rows, settings_of

HELP = "fit a gate that refuses few good photos, with a guarantee"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--accepted", metavar="DIR", nargs="+", help="photos, or folders of photos, that people accept")
    parser.add_argument("--refused", metavar="DIR", nargs="+", help="photos, or folders of photos, that people refuse")
    parser.add_argument(
        "--labels", metavar="CSV", help="instead of both, a table with the columns path and label: accepted or refused"
    )
    parser.add_argument("--max-false-refusal", type=_share, default=0.02, metavar="SHARE", help="default: 0.02")
    parser.add_argument("--confidence", type=_share, default=0.95, metavar="SHARE", help="default: 0.95")
    parser.add_argument(
        "-o", dest="output", metavar="FILE", type=Path, default=Path("gate.json"), help="default: gate.json"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the photos that a stopped run scored")
    add_scorer_arguments(parser)


def run(options: argparse.Namespace, stderr: IO[str]) -> int:
    labelled, data = _labelled(options)
    photos, good = list(labelled), sum(labelled.values())
    check_enough(good, len(photos) - good, options.max_false_refusal, options.confidence)  # before hours of scoring
    check_output(options.output, photos)
    scorer = scorer_of(options)
    measures = (SCORE, *scorer.attribute_names)
    with Journal(options.output, settings_of(scorer, command="fit-gate"), resume=options.resume) as journal:
        rows = list(
            finished_rows(
                photos, scorer, lambda result: row_of(result, scorer.attribute_names),
                workers=options.workers, stderr=stderr, journal=journal,
            )
        )  # fmt: skip
        scored = [row for row in rows if row["error"] is None]
        gate = fit_gate(
            np.array([[row[name] for name in measures] for row in scored]).reshape(-1, len(measures)),
            np.array([labelled[row["path"]] for row in scored], dtype=bool),
            scorer.bundle, scorer.variant, data, options.max_false_refusal, options.confidence,
        )  # fmt: skip
        gate.write(options.output)
        journal.remove()
    print(gate)
    failed = [row for row in rows if row["error"] is not None]
    for row in failed:
        print(f"pocketiqa: left out {row['path']}: {row['error']}", file=stderr)
    print(f"pocketiqa: {options.output} written", file=stderr)
    return 1 if failed else 0


def _labelled(options: argparse.Namespace) -> tuple[dict[str, bool], str]:
    """Photos with their labels, and where they come from in words."""
    given = tuple(map(bool, (options.labels, options.accepted, options.refused)))
    if given not in {(True, False, False), (False, True, True)}:
        raise PocketiqaError("give --accepted and --refused, or --labels")
    if options.labels:
        return read_labels(options.labels), Path(options.labels).name
    folders = ", ".join(Path(path).name for path in (*options.accepted, *options.refused))
    return photos_in_folders(options.accepted, options.refused), folders


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share; give a number between 0 and 1")
    return value
