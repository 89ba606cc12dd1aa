"""``python -m benchmarks accuracy``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pocketiqa.bundle import Bundle

from benchmarks.accuracy import measure_accuracy, read_teacher_scores, table
from benchmarks.devices.local import LocalDevice
from benchmarks.provenance import command, commit, sources
from distill.data.mos_sets import MOS_SETS, MosSetError, read_scored_photos


def accuracy(
    images: Path | None = None,
    mos: Path | None = None,
    scale: tuple[float, float] = (0.0, 1.0),
    mos_folder: Path | None = None,
    mos_set: Literal[tuple(MOS_SETS)] = "biq2021",
    split: Literal["train", "val", "test"] | None = None,
    bundle: Path | None = None,
    variant: str = "int8",
    teacher_scores: Path | None = None,
) -> int:
    """Agreement of a bundle's scores with mean opinion scores, pooled and within each source of photos, as Markdown.

    Args:
        images: A folder of photos.
        mos: A CSV with the columns name and score (or mos), and perhaps source and split, for --images.
        scale: The worst and the best score there can be in it.
        mos_folder: Where a public MOS set lies, in the place of --images and --mos.
        mos_set: Its name.
        split: Of the set, test by default: for one final figure of a released model, never for choosing anything. Of
            a CSV, all rows by default.
        bundle: The bundle's folder or packed file; without it the one inside the pocketiqa package.
        variant: Which program.
        teacher_scores: A CSV with the columns name and score of a teacher, for its own figures and for the
            student's agreement with it; `python -m distill teacher-scores` writes one.
    """
    if images is not None and mos is not None and mos_folder is None:
        photos = read_scored_photos(images, mos, split, scale)
    elif mos_folder is not None and images is None and mos is None:
        photos = MOS_SETS[mos_set](mos_folder, split or "test")
    else:
        raise MosSetError("give --images with --mos for photos of your own, or --mos-folder for a public set")
    teacher = None if teacher_scores is None else read_teacher_scores(teacher_scores, photos)
    print(table(measure_accuracy(photos, bundle, variant, teacher)))
    now = datetime.now(UTC).isoformat()
    machine = str(LocalDevice().properties())
    print(f"\n{Bundle.open(bundle).label}, {variant}. {sources(now, machine, commit(), command())}")
    return 0
