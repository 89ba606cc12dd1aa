"""What teaches heads on a trained trunk, what ranks them, and the figures that come out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pocketiqa.parity import srcc

from distill.data.degraded_photos import DegradedPhoto, mean_falling, pristine_photos, severity_ladders
from distill.data.intervals import srcc_within
from distill.data.mos_sets.biq2021 import read_biq2021
from distill.data.mos_sets.own_photos import read_scored_photos
from distill.data.mos_sets.photo_set import VALIDATION_SHARE, MosSet, split_by_hash
from distill.experiments.figures import KINDS_PER_PHOTO, change, srcc_estimate
from distill.experiments.table import Cell


@dataclass(frozen=True)
class RankedPhotos:
    """Photos that teach and photos that rank.

    Attributes:
        scored: BIQ2021's train split.
        held_out: mask of ``scored``, of what no head learns.
        pristine: undistorted photos.
        copies: their severity ladders.
        unlearnt: mask of ``copies``, of what no head learns.
        outside: sets that nothing is fitted to, by name.
    """

    scored: MosSet
    held_out: np.ndarray
    pristine: list[Path]
    copies: list[DegradedPhoto]
    unlearnt: np.ndarray
    outside: dict[str, MosSet]

    def __str__(self) -> str:
        outside = ", ".join(f"{name} {len(one)}" for name, one in self.outside.items()) or "none"
        return (
            f"n: {int((~self.held_out).sum())} photos teach, {int(self.held_out.sum())} are held out; "
            f"{len(self.pristine)} pristine photos, {int(self.unlearnt.sum())} of {len(self.copies)} copies are held "
            f"out; outside {outside}"
        )

    @property
    def judged(self) -> list[DegradedPhoto]:
        """The copies that nothing learns."""
        return [copy for copy, out in zip(self.copies, self.unlearnt) if out]

    def mean_within(self, held_out: np.ndarray) -> float:
        """Mean SRCC within each source of scores of the held-out photos."""
        known = self.scored.take(self.held_out)
        return float(np.mean(list(srcc_within(held_out, known.mos, known.sources).values())))

    def columns(self) -> list[str]:
        """Headings of ``cells``."""
        return ["held out", "change", "in", "ladders", "to teacher", *self.outside, "change outside"]

    def cells(self, found: list[np.ndarray], before: list[np.ndarray], teacher: torch.Tensor, seed: int) -> list[Cell]:
        """Figures of one head.

        Args:
            found: its scores of the held-out photos, of each set outside, and of the copies that nothing learned.
            before: the same of the head that it is compared with.
            teacher: its teacher's scores of ``scored``.
            seed: of resamples.
        """
        held_out, *outside, copies = found
        known = self.scored.take(self.held_out)
        mos = [one.mos for one in self.outside.values()]
        return [
            srcc_estimate(held_out, known.mos, seed),
            change([known.mos], before[:1], [held_out], seed),
            self.mean_within(held_out),
            mean_falling(self.judged, copies),
            srcc(held_out, teacher[self.held_out].numpy()),
            *(srcc_estimate(score, opinion, seed) for score, opinion in zip(outside, mos)),
            change(mos, before[1:-1], outside, seed) if outside else None,
        ]


def read_ranked_photos(
    mos_folder: Path, pristine: list[Path], outside: list[tuple[Path, Path]], limit: int | None, seed: int
) -> RankedPhotos:
    """Read them.

    Args:
        mos_folder: BIQ2021's folder.
        pristine: folders of undistorted photos.
        outside: folders and tables (``name,mos``, on any scale).
        limit: of the photos that are not held out take so many, drawn by ``seed``; None takes all.
        seed: of ladders too.

    Raises:
        MosSetError: a folder, a table or a photo is missing.
    """
    scored = read_biq2021(mos_folder)
    held_out = split_by_hash(scored.paths, VALIDATION_SHARE)
    if limit is not None:
        teaching = np.random.default_rng(seed).permutation(np.flatnonzero(~held_out))[:limit]
        used = held_out | np.isin(np.arange(len(scored)), teaching)
        scored, held_out = scored.take(used), held_out[used]
    photos = pristine_photos(pristine)
    copies = severity_ladders(photos, KINDS_PER_PHOTO, seed)
    unlearnt = split_by_hash([copy.photo for copy in copies], VALIDATION_SHARE)
    return RankedPhotos(scored, held_out, photos, copies, unlearnt, sets_outside(outside))


def sets_outside(tables: list[tuple[Path, Path]]) -> dict[str, MosSet]:
    """Sets of photos by the names of their tables (``name,mos``, on any scale), each with its folder before it.

    Raises:
        MosSetError: a folder, a table or a photo is missing.
    """
    return {table.stem: read_scored_photos(folder, table, scale=None) for folder, table in tables}
