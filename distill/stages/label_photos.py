"""What CLIP says of scored photos, of photos without scores and of severity ladders: labels for the student's heads.

    python -m distill labels --mos-folder BIQ2021 --pristine DIR --photos DIR --out runs/labels.csv
    python -m distill student … --labels runs/labels.csv --distil.pseudo-labels 0.7

The teacher is kernel ridge regression (``distill.teacher.kernel_ridge``) on CLIP's block statistics and, beside them,
on what a small trunk sees in larger views: ImageNet's Lite0, or with ``--trunk`` one that CLIP taught. It is fitted to
people's scores of the MOS set and to the ladders, both without their validation parts. A photo takes a fraction of a
second, once: its features are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch

from distill.data.degraded_photos import DegradedPhoto, pristine_photos, reduced, severity_ladders
from distill.data.enough import check_opinions
from distill.data.mos_sets import MOS_SETS, VALIDATION_SHARE, split_by_hash
from distill.data.training_photos import check_photos
from distill.networks.student import INPUT_SPEC, StudentFeatures, load_student
from distill.teacher.clip_features import CLIP_INPUT, STATISTICS_WIDTH
from distill.teacher.clip_int8 import Int8ClipFeatures
from distill.teacher.kernel_ridge import fit_kernel_ridge
from distill.training.feature_sets import ladder_features
from distill.training.frozen_features import features_of_photos
from distill.training.frozen_trunk import FrozenTrunk
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
        trunk: weights of a trunk that CLIP taught of no score (``distill trunk --trunk.score 0``). One that learned
            of scores knows those of the photos that the teacher is fitted to, and would be believed too much.
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
    trunk: Path | None = None
    kinds_per_photo: int = 2
    seed: int = 0


def label_photos(config: LabelsConfig) -> dict[str, object]:
    """Score the photos and write the CSV; returns how many there are, and where.

    Raises:
        MosSetError: a folder is missing or empty, scores teach nothing, or photos cannot be read.
        ClipTowerError: CLIP's package is missing.
        FileNotFoundError, ValueError: there are no weights at ``config.trunk``, or they are not the student's.
    """
    trunk = StudentFeatures(load_student(config.trunk) if config.trunk else None)
    mos_set = MOS_SETS[config.mos_set](config.mos_folder, "train")
    held_out = split_by_hash(mos_set.paths, VALIDATION_SHARE)
    check_opinions(mos_set, held_out)
    pristine = pristine_photos(config.pristine)
    others = pristine_photos(config.photos)
    check_photos([*mos_set.paths, *others])
    check_photos(pristine, reduced)
    copies = severity_ladders(pristine, config.kinds_per_photo, config.seed)
    networks = [Int8ClipFeatures(), FrozenTrunk(trunk, INPUT_SPEC)]

    def of_photos(paths: list[Path], title: str) -> torch.Tensor:
        return torch.cat([features_of_photos(paths, network, config.cache, title) for network in networks], dim=1)

    known, ladders, learnt = of_photos(mos_set.paths, mos_set.name), None, None
    if copies:
        parts = [ladder_features(copies, network, config.cache) for network in networks]
        ladders = replace(parts[0], features=torch.cat([part.features for part in parts], dim=1))
        learnt = ladders.without(split_by_hash([copy.photo for copy in copies], VALIDATION_SHARE))
    mos = torch.tensor(mos_set.mos, dtype=torch.float32)
    clips = len(CLIP_INPUT.views) * STATISTICS_WIDTH
    widths, sources = [clips, known.shape[1] - clips], mos_set.sources[~held_out]
    ridge = fit_kernel_ridge(known[~held_out], mos[~held_out], learnt, widths, sources)

    def rows() -> Iterator[tuple[Path | DegradedPhoto, float]]:
        asked = [(mos_set.paths, known)]
        if ladders is not None:
            asked.append((copies, ladders.features))
        if others:
            asked.append((others, of_photos(others, "photos")))
        for names, features in asked:
            scores = torch.cat([ridge(part) for part in features.split(_ROWS)]).clamp(0, 1)
            yield from zip(names, scores.tolist())

    write_labels(config.out, rows())
    return {"scored": len(mos_set), "copies": len(copies), "unscored": len(others), "out": str(config.out)}
