"""``pocketiqa gate PATH...``: may these photos be used? A row a photo, with the reasons where it is refused."""

from __future__ import annotations

import argparse
import hashlib
import json
from typing import IO

from pocketiqa.gate import SCORE, Gate
from pocketiqa.outputs import Row, columns_of, row_of
from pocketiqa.photo_arguments import add_photo_arguments, add_row_arguments, photos_of, scorer_of
from pocketiqa.row_run import run_rows, settings_of, used
from pocketiqa.scorer import Result, Scorer

HELP = "accept or refuse photos, with reasons"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--gate", metavar="FILE", help="what a photo needs, of fit-gate or your own (default: the bundle's)"
    )
    add_photo_arguments(parser)
    add_row_arguments(parser)


def run(options: argparse.Namespace, stderr: IO[str]) -> int:
    photos = photos_of(options, stderr)
    scorer = scorer_of(options)
    attributes = scorer.attribute_names
    gate = read_gate(options.gate, scorer, stderr)

    def make_row(result: Result) -> Row:
        row = row_of(result, attributes)
        if result.error is not None:
            return {**row, "decision": "failed", "reasons": None}
        decision = gate.decide(result)
        reasons = "; ".join(map(str, decision.reasons))
        return {**row, "decision": "accepted" if decision.accepted else "refused", "reasons": reasons or None}

    columns = {"path": str, "decision": str, **columns_of(attributes), "reasons": str}
    digest = hashlib.sha256(json.dumps(gate.to_dict()).encode()).hexdigest()
    counts = run_rows(
        options, photos, scorer, columns, make_row, stderr,
        settings=settings_of(scorer, command="gate", gate_sha256=digest), kind=lambda row: row["decision"],
    )  # fmt: skip
    print(
        f"pocketiqa: accepted {counts['accepted']} and refused {counts['refused']} of {len(photos)} photos, "
        f"{counts['failed']} could not be scored ({used(scorer)}, {options.workers} workers)",
        file=stderr,
    )
    return 1 if counts["refused"] or counts["failed"] else 0


def read_gate(path: str | None, scorer: Scorer, stderr: IO[str]) -> Gate:
    """The gate of a file, or the bundle's own; ``stderr`` hears where it was fitted to another program.

    Raises:
        BundleError: there is none, or it is malformed.
        PocketiqaError: it asks for values that the bundle does not give.
    """
    gate = Gate.of(scorer.bundle) if path is None else Gate.read(path)
    gate.check_measures((SCORE, *scorer.attribute_names))
    program = scorer.bundle.manifest.files[scorer.bundle.variant(scorer.variant).path].sha256
    if gate.fit is not None and gate.fit.sha256 != program:
        print(
            f"pocketiqa: the gate was fitted to another program ({gate.fit.program}): its promise is not this one's",
            file=stderr,
        )
    return gate
