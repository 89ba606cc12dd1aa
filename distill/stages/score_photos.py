"""A trained teacher's scores of a MOS set, as a CSV: what ``python -m benchmarks accuracy --teacher-scores`` reads.

    python -m distill teacher-scores --run runs/teacher --mos-folder BIQ2021
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pocketiqa.files import atomic_file

from distill.data.mos_sets import MOS_SETS
from distill.data.training_photos import check_photos
from distill.teacher.load import load_trained_teacher
from distill.teacher.targets import pseudo_labels


@dataclass(frozen=True)
class TeacherScoresConfig:
    """Which teacher scores which photos.

    Attributes:
        run: the run folder of a trained teacher.
        mos_folder: where the MOS set lies.
        mos_set: its name.
        split: of the set.
        out: the CSV, with the columns name and score; by default ``scores.csv`` in the run's folder.
        cache: where the teacher's embeddings are kept.
    """

    run: Path
    mos_folder: Path
    mos_set: Literal[tuple(MOS_SETS)] = "biq2021"
    split: Literal["train", "val", "test"] = "test"
    out: Path | None = None
    cache: Path = Path("runs/cache")


def write_teacher_scores(config: TeacherScoresConfig) -> dict[str, object]:
    """Score the photos and write the CSV; returns how many there are, and where.

    Raises:
        MosSetError: the set is missing or has no such split, or photos cannot be read.
        TeacherError: there is no trained teacher.
    """
    teacher = load_trained_teacher(config.run)
    photos = MOS_SETS[config.mos_set](config.mos_folder, config.split)
    check_photos(photos.paths)
    scores = pseudo_labels(teacher, photos, config.cache)
    out = config.out or config.run / "scores.csv"
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(out, newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["name", "score"])
        for path, score in zip(photos.paths, scores.tolist()):
            writer.writerow([path.relative_to(config.mos_folder).as_posix(), score])
    return {"n": len(photos), "out": str(out)}
