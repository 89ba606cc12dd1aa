"""What the teacher says about every photo, computed once, so that an epoch costs only the student.

One embedding a photo holds it all: score, pairs and grades are read from it. The cache's key is the teacher's weights,
the photo's content, its views and its degradation; renaming or moving a photo costs nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from pocketiqa.preprocess import preprocess

from distill.data.degraded_photos import CLEAN, DegradedPhoto, render
from distill.data.mos_sets.photo_set import MosSet
from distill.data.training_photos import read_photo
from distill.teacher.packaged import PACKAGED, embed_views
from distill.teacher.packaged_features import packaged_features
from distill.teacher.prompt_scores import prompt_scores
from distill.teacher.teacher import Teacher
from distill.training.frozen_features import PooledFeatures, features_of, features_of_photos, frozen_features


def pseudo_labels(teacher: Teacher, mos_set: MosSet, cache: Path) -> torch.Tensor:
    """The teacher's scores of a MOS set's photos, float32 n in [0, 1]; its embeddings from ``cache`` if there."""
    embedding = embeddings_of_photos(teacher, mos_set, cache)
    return prompt_scores(embedding, teacher.text().detach(), teacher.config.scoring).score


def embeddings_of_photos(teacher: Teacher, mos_set: MosSet, cache: Path) -> torch.Tensor:
    """The teacher's unit embeddings n×D of a MOS set's photos, each the mean direction of its views."""
    if (trunk := _packaged_trunk(teacher)) is not None:
        # Its features are at hand: its projection was fitted to them.
        return _projected(teacher, features_of_photos(mos_set.paths, trunk, cache, mos_set.name))
    photos = [DegradedPhoto(path, CLEAN, 0, 0) for path in mos_set.paths]

    def whole(photo: DegradedPhoto) -> np.ndarray:
        return preprocess(read_photo(photo.photo), teacher.input)

    return teacher_embeddings(teacher, photos, whole, str(teacher.input.to_dict()), cache)


def embeddings_of_copies(teacher: Teacher, copies: list[DegradedPhoto], cache: Path) -> torch.Tensor:
    """The same of degraded photos."""
    if (trunk := _packaged_trunk(teacher)) is not None:
        return _projected(teacher, _of_copies(copies, trunk, cache))

    def rendered(copy: DegradedPhoto) -> np.ndarray:
        return render(copy, teacher.input)

    return teacher_embeddings(teacher, copies, rendered, f"at most 512, {teacher.input.to_dict()}", cache)


def features_and_embeddings(
    teacher: Teacher, mos_set: MosSet, copies: list[DegradedPhoto], cache: Path
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the teacher knows of a MOS set's photos and then of degraded ones.

    Returns:
        features: n×d, what a packaged teacher's projection reads; the embeddings of another teacher.
        embedding: n×D of length 1.
    """
    if (trunk := _packaged_trunk(teacher)) is None:
        parts = embeddings_of_photos(teacher, mos_set, cache), embeddings_of_copies(teacher, copies, cache)
        return (embedding := torch.cat(parts)), embedding
    scored = features_of_photos(mos_set.paths, trunk, cache, mos_set.name)
    features = torch.cat([scored, _of_copies(copies, trunk, cache)])
    return features, _projected(teacher, features)


def _packaged_trunk(teacher: Teacher) -> PooledFeatures | None:
    """The trunk of a packaged teacher that no stage has trained."""
    packaged = PACKAGED.get(teacher.config.model)
    kept = packaged is not None and packaged.keeps_trunk(teacher.visual)
    return packaged_features(teacher.config.model) if kept else None


def _of_copies(copies: list[DegradedPhoto], trunk: PooledFeatures, cache: Path) -> torch.Tensor:
    return features_of({str(copy): copy for copy in copies}, render, trunk, cache, "ladders")


@torch.no_grad()
def _projected(teacher: Teacher, features: torch.Tensor) -> torch.Tensor:
    return embed_views(features, teacher.visual.head.proj.weight, teacher.visual.head.proj.bias)


def teacher_embeddings(
    teacher: Teacher,
    copies: list[DegradedPhoto],
    prepare: Callable[[DegradedPhoto], np.ndarray],
    view: str,
    cache: Path,
) -> torch.Tensor:
    """The teacher's unit embeddings n×D of every copy, clean photos being copies of level 0; from ``cache`` if there.

    Args:
        teacher: in evaluation mode.
        copies: photos, each with its degradation.
        prepare: from a copy to float32 V×3×H×W in [0, 1].
        view: what ``prepare`` shows of a photo, in words; part of the key.
        cache: a folder.
    """
    digests = {photo: hashlib.sha256(photo.read_bytes()).hexdigest() for photo in {copy.photo for copy in copies}}
    keys = [f"{digests[copy.photo]}|{view}|{copy.kind}|{copy.level}|{copy.seed}" for copy in copies]
    by_key = dict(zip(keys, copies))
    stored = frozen_features(
        _EmbeddingOfViews(teacher), list(by_key), lambda key: prepare(by_key[key]), cache, "teacher"
    )
    row = {key: number for number, key in enumerate(by_key)}
    embedding = torch.from_numpy(np.asarray(stored, dtype=np.float32))[[row[key] for key in keys]]
    return torch.nn.functional.normalize(embedding, dim=1)


class _EmbeddingOfViews:
    """The teacher as the feature cache takes it: one photo's views to the mean direction of their embeddings."""

    def __init__(self, teacher: Teacher) -> None:
        self._teacher = teacher
        self.fingerprint = teacher.fingerprint()

    @torch.no_grad()
    def __call__(self, views: np.ndarray) -> np.ndarray:
        images = torch.from_numpy(views).to(self._teacher.mean.device)
        return torch.nn.functional.normalize(self._teacher.embed(images).mean(0), dim=0).cpu().numpy()
