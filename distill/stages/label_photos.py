"""What CLIP says of scored photos, of photos without scores and of severity ladders: labels for the student's heads.

    python -m distill labels --mos-folder BIQ2021 --pristine DIR --photos DIR --out runs/labels.csv
    python -m distill student … --labels runs/labels.csv --distil.pseudo-labels 0.7

The teacher is kernel ridge regression on CLIP's block statistics (``distill.teacher.kernel_ridge``), fitted to people's
scores of the MOS set without its validation part. A photo takes half a second on a processor, once: its features are
kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch

from distill.data.degraded_photos import DegradedPhoto, pristine_photos, reduced, render, severity_ladders
from distill.data.enough import check_opinions
from distill.data.mos_sets import MOS_SETS, VALIDATION_SHARE, split_by_hash
from distill.data.training_photos import check_photos
from distill.teacher.kernel_ridge import fit_kernel_ridge
from distill.teacher.packaged_features import packaged_features
from distill.training.frozen_features import features_of, features_of_photos
from distill.training.labels import write_labels

_ROWS = 512  # scored at once


@dataclass(frozen=True)
class LabelsConfig:
    """Who is asked about what.

    Attributes:
        mos_folder: where the MOS set lies, whose scores the teacher is fitted to.
        pristine: folders of undistorted photos; their severity ladders are scored.
        photos: folders of further photos, which nobody has scored.
        mos_set: name of the MOS set.
        out: the CSV.
        cache: where CLIP's features are kept.
        kinds_per_photo: severity ladders for each pristine photo. With the number and seed that the student's command
            has, its trunk sees each copy once.
        seed: of the degradations.
    """

    mos_folder: Path
    pristine: list[Path] = field(default_factory=list)
    photos: list[Path] = field(default_factory=list)
    mos_set: Literal[tuple(MOS_SETS)] = "biq2021"
    out: Path = Path("runs/labels.csv")
    cache: Path = Path("runs/cache")
    kinds_per_photo: int = 2
    seed: int = 0


def label_photos(config: LabelsConfig) -> dict[str, object]:
    """Score the photos and write the CSV; returns how many there are, and where.

    Raises:
        MosSetError: a folder is missing or empty, scores teach nothing, or photos cannot be read.
        TeacherError: CLIP's package is missing.
    """
    mos_set = MOS_SETS[config.mos_set](config.mos_folder, "train")
    held_out = split_by_hash(mos_set.paths, VALIDATION_SHARE)
    check_opinions(mos_set, held_out)
    pristine = pristine_photos(config.pristine)
    others = pristine_photos(config.photos)
    check_photos([*mos_set.paths, *others])
    check_photos(pristine, reduced)
    copies = severity_ladders(pristine, config.kinds_per_photo, config.seed)
    clip = packaged_features("clip-b16")
    known = features_of_photos(mos_set.paths, clip, config.cache, mos_set.name)
    ridge = fit_kernel_ridge(known[~held_out], torch.tensor(mos_set.mos, dtype=torch.float32)[~held_out])

    def rows() -> Iterator[tuple[Path | DegradedPhoto, float]]:
        asked = [(mos_set.paths, known)]
        if copies:
            features = features_of({str(copy): copy for copy in copies}, render, clip, config.cache, "ladders")
            asked.append((copies, features))
        if others:
            asked.append((others, features_of_photos(others, clip, config.cache, "photos")))
        for names, features in asked:
            scores = torch.cat([ridge(part) for part in features.split(_ROWS)]).clamp(0, 1)
            yield from zip(names, scores.tolist())

    write_labels(config.out, rows())
    return {"scored": len(mos_set), "copies": len(copies), "unscored": len(others), "out": str(config.out)}
