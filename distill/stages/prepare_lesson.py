"""Scored photos and severity ladders, with the teacher's embeddings, as one lesson for stage C."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from pocketiqa.preprocess import PreprocessSpec

from distill.data.degraded_photos import DegradedPhoto, attribute_targets, degraded_pixels, reduced, render
from distill.data.mos_sets.photo_set import VALIDATION_SHARE, MosSet, split_by_hash
from distill.data.training_photos import network_input, read_photo
from distill.data.windows import random_windows
from distill.degradations.degrade import KINDS, LEVELS
from distill.networks.student import ATTRIBUTES
from distill.stages.lesson import Lesson

_LADDERS = "pristine and degraded"


def prepare_lesson(
    mos_set: MosSet,
    copies: list[DegradedPhoto],
    features: torch.Tensor,
    embedding: torch.Tensor,
    spec: PreprocessSpec,
    teacher_features: torch.Tensor | None = None,
) -> Lesson:
    """Scored photos first, then degraded ones; a tenth of each is held out, a photo's copies together.

    Args:
        mos_set: photos with people's scores.
        copies: severity ladders, each photo's clean copy before its ladders.
        features: the student's own of all of them at its start, n×d.
        embedding: the teacher's of all of them, n×D of length 1.
        spec: how the student sees a photo.
        teacher_features: the teacher's of all of them, n×d.
    """
    scored = mos_set.paths

    def views(row: int) -> np.ndarray:
        if row < len(scored):
            return network_input(scored[row], spec)
        return render(copies[row - len(scored)], spec)

    def windows(row: int, side: int, random: np.random.Generator) -> np.ndarray:
        if row < len(scored):
            return random_windows(read_photo(scored[row]), spec, side, random)
        copy = copies[row - len(scored)]
        pixels = degraded_pixels(reduced(copy.photo), copy.kind, copy.level, copy.seed)
        return random_windows(Image.fromarray(pixels), spec, side, random)

    attributes = attribute_targets(copies, ATTRIBUTES)
    unknown = np.full((len(scored), len(ATTRIBUTES)), np.nan, dtype=np.float32)
    return Lesson(
        views=views,
        windows=windows,
        features=features,
        embedding=embedding,
        mos=torch.tensor([*mos_set.mos, *[np.nan] * len(copies)], dtype=torch.float32),
        attributes=torch.from_numpy(np.concatenate([unknown, attributes])),
        kinds=torch.tensor([*[-1] * len(scored), *(kind_and_level(copy) for copy in copies)]),
        ladders=[[len(scored) + row for row in rows] for rows in rows_of_ladders(copies)],
        sources=np.array([*mos_set.sources, *[_LADDERS] * len(copies)]),
        held_out=split_by_hash([*scored, *(copy.photo for copy in copies)], VALIDATION_SHARE),
        teacher_features=teacher_features,
    )


def kind_and_level(copy: DegradedPhoto) -> int:
    """0 for a clean photo, else one number a kind and level, 1 to 120."""
    return 0 if copy.level == 0 else 1 + KINDS.index(copy.kind) * len(LEVELS) + copy.level - 1


def rows_of_ladders(copies: list[DegradedPhoto]) -> list[list[int]]:
    """The rows of each photo's ladder of each kind, the clean photo first and then the levels, mildest first."""
    clean = {copy.photo: row for row, copy in enumerate(copies) if copy.level == 0}
    ladders: dict[tuple, list[int]] = {}
    for row, copy in enumerate(copies):
        if copy.level:
            ladders.setdefault((copy.photo, copy.kind), [clean[copy.photo]]).append(row)
    return [sorted(rows, key=lambda row: copies[row].level) for rows in ladders.values()]
