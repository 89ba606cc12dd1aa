"""A teacher's scores of photos and of degraded copies: ``python -m distill labels`` writes them, heads take them."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pocketiqa.files import atomic_file

from distill.data.degraded_photos import DegradedPhoto, render
from distill.data.mos_sets.photo_set import MosSet
from distill.data.training_photos import network_input
from distill.training.features import ScoredFeatures
from distill.training.frozen_features import PooledFeatures, features_of
from distill.training.run_folder import RunError

_COLUMNS = ("photo", "kind", "level", "seed", "score")


@dataclass(frozen=True)
class Labels:
    """What one file holds.

    Attributes:
        file: where it was read from.
        photos: scores in [0, 1] of photos as they are, in the file's order.
        copies: of degraded copies, in the file's order.
    """

    file: Path
    photos: dict[Path, float]
    copies: dict[DegradedPhoto, float]

    def of(self, mos_set: MosSet) -> torch.Tensor:
        """Float32 n, of a MOS set's photos.

        Raises:
            RunError: the teacher was not asked about some of them.
        """
        if missing := [path for path in mos_set.paths if path not in self.photos]:
            raise RunError(
                f"{self.file} has no score of {len(missing)} of {len(mos_set)} photos, {str(missing[0])!r} among them: "
                "give --mos-folder as python -m distill labels had it, or write the labels anew"
            )
        return torch.tensor([self.photos[path] for path in mos_set.paths])

    @property
    def record(self) -> dict[str, object]:
        """For the student's record."""
        return {
            "photos": len(self.photos),
            "copies": len(self.copies),
            "sha256": hashlib.sha256(self.file.read_bytes()).hexdigest(),
        }


def labelled_features(labels: Labels, mos_set: MosSet, trunk: PooledFeatures, cache: Path) -> Iterator[ScoredFeatures]:
    """What ``labels`` holds through ``trunk`` beside the MOS set: photos that nobody scored, then degraded copies."""
    own = set(mos_set.paths)
    photos = {str(path): path for path in labels.photos if path not in own}
    copies = {str(copy): copy for copy in labels.copies}
    for named, scores, prepare, title, source in (
        (photos, labels.photos, network_input, "photos", "without scores"),
        (copies, labels.copies, render, "ladders", "degraded copies"),
    ):
        if named:
            features = features_of(named, prepare, trunk, cache, title)
            mos = torch.tensor([scores[one] for one in named.values()])
            yield ScoredFeatures(features, mos, np.full(len(named), source))


def write_labels(file: Path, rows: Iterable[tuple[Path | DegradedPhoto, float]]) -> None:
    """A row for each photo or copy, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(file, newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for of, score in rows:
            copy = (of.photo, of.kind, of.level, of.seed) if isinstance(of, DegradedPhoto) else (of, "", "", "")
            writer.writerow([*copy, f"{score:.4f}"])


def read_labels(file: Path) -> Labels:
    """What ``write_labels`` wrote.

    Raises:
        RunError: there is no such file, or a row of it cannot be read.
    """
    labels = Labels(file, {}, {})
    try:
        with file.open(newline="") as stream:
            for row in csv.DictReader(stream):
                photo, score = Path(row["photo"]), float(row["score"])
                if row["kind"]:
                    labels.copies[DegradedPhoto(photo, row["kind"], int(row["level"]), int(row["seed"]))] = score
                else:
                    labels.photos[photo] = score
    except OSError as error:
        raise RunError(f"{file} cannot be read: {error.strerror}; python -m distill labels writes one") from None
    except (KeyError, TypeError, ValueError):
        raise RunError(f"{file} is no table of labels; python -m distill labels writes one") from None
    return labels
