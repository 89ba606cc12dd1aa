"""A run over many photos, a row each: what ``score``, ``gate`` and ``report`` share.

    counts = run_rows(options, photos, scorer, columns, make_row, stderr)

Without ``-o`` rows are printed as they are made. With ``-o`` they go into the file's journal, and the file appears
when all are there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from pocketiqa import __version__
from pocketiqa.files import atomic_file
from pocketiqa.journal import Journal, OutputError
from pocketiqa.outputs import Row, row_writer
from pocketiqa.parquet import write_parquet
from pocketiqa.scorer import Result, Scorer
from pocketiqa.standard_error import photo_bar


def finished_rows(
    photos: Sequence[str],
    scorer: Scorer,
    make_row: Callable[[Result], Row],
    *,
    workers: int,
    stderr: IO[str],
    journal: Journal | None = None,
) -> Iterator[Row]:
    """A row a photo, in their order, with progress on ``stderr``. A row that the journal knows is taken from it, every
    other is made now and kept there. A photo that failed before is tried again."""
    known = [journal is not None and journal.knows(photo) for photo in photos]
    fresh = scorer.batch((photo for photo, old in zip(photos, known) if not old), workers=workers)
    with contextlib.closing(fresh), photo_bar(stderr)(total=len(photos), initial=sum(known)) as bar:
        for photo, old in zip(photos, known):
            if old:
                yield journal.row(photo)
                continue
            row = make_row(next(fresh))
            if journal is not None:
                journal.append(photo, row)
            bar.update()
            yield row


def settings_of(scorer: Scorer, **others: Any) -> dict[str, Any]:
    """What rows depend on beside their photos: rows made with other settings are not gone on with."""
    manifest = hashlib.sha256(scorer.bundle.manifest_bytes).hexdigest()
    return {
        "pocketiqa": __version__, "bundle": scorer.bundle.label, "manifest_sha256": manifest,
        "variant": scorer.variant, "runtime": scorer.runtime_name, "strict": scorer.strict,
        "limits": vars(scorer.limits), **others,
    }  # fmt: skip


def run_rows(
    options: Namespace,
    photos: Sequence[str],
    scorer: Scorer,
    columns: Mapping[str, type],
    make_row: Callable[[Result], Row],
    stderr: IO[str],
    *,
    settings: dict[str, Any],
    kind: Callable[[Row], str] = lambda row: "failed" if row["error"] else "scored",
    finish: Callable[[Iterator[Row]], Iterable[Row]] = iter,
) -> Counter[str]:
    """Score the photos and write their rows where the options say.

    Args:
        options: as ``add_photo_arguments`` and ``add_row_arguments`` of ``pocketiqa.photo_arguments`` parse them.
        columns: of the table, CSV and Parquet with their types, ``path`` first.
        make_row: a result's row; it holds ``path`` and ``error``.
        settings: what the rows depend on, of ``settings_of``.
        kind: what a row is counted as.
        finish: makes the rows that are written of all that were made, for what one photo's row cannot say alone.

    Returns:
        How many rows there are of each kind.
    """

    def rows(journal: Journal | None = None) -> Iterator[Row]:
        return finished_rows(photos, scorer, make_row, workers=options.workers, stderr=stderr, journal=journal)

    footer = f"scored with {used(scorer)}\n" if options.format == "table" else ""
    if options.output is None:
        counts = Counter()
        write = row_writer(sys.stdout, options.format, columns, photos)
        for row in finish(rows()):
            write(row)
            counts[kind(row)] += 1
        sys.stdout.write(footer)
        return counts
    with Journal(options.output, settings, resume=options.resume) as journal:
        counts = Counter(kind(row) for row in rows(journal))
        kept = finish(journal.row(photo) for photo in photos)
        made_by = {**settings, "photos": len(photos), **counts}
        if options.format == "parquet":
            with whole_output(options.output, "wb") as file:
                write_parquet(file, columns, photos, kept, made_by)
        else:
            with whole_output(options.output) as file:
                write = row_writer(file, options.format, columns, photos)
                for row in kept:
                    write(row)
                file.write(footer)
        if options.format == "csv":  # which has no place beside its columns for what made it
            with whole_output(options.output.with_name(f"{options.output.name}.run.json")) as file:
                file.write(json.dumps(made_by, indent=2) + "\n")
        journal.remove()
    return counts


def used(scorer: Scorer) -> str:
    """Which bundle, program and runtime score, on one line."""
    return f"{scorer.bundle.label} {scorer.variant}, {scorer.runtime_name}"


@contextlib.contextmanager
def whole_output(path: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """A file that appears whole, for ``-o``; text has ``newline=""``."""
    try:
        with atomic_file(path, mode, newline=None if "b" in mode else "") as file:
            yield file
    except OSError as error:
        raise OutputError(f"-o {path} cannot be written: {error.strerror}") from None
