"""Teacher targets: computed once, keyed by content."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from eager_trunk import EagerTrunk
from PIL import Image
from pocketiqa.preprocess import PreprocessSpec, preprocess

from distill.data.degraded_photos import CLEAN, DegradedPhoto, severity_ladders
from distill.data.mos_sets import MosSet
from distill.networks.student import INPUT_SPEC
from distill.teacher.load import load_teacher
from distill.teacher.packaged import PACKAGED, embed_views
from distill.teacher.prompt_scores import prompt_scores
from distill.teacher.targets import (
    embeddings_of_copies,
    embeddings_of_photos,
    features_and_embeddings,
    pseudo_labels,
    teacher_embeddings,
)
from distill.teacher.teacher import Teacher, TeacherConfig

SPEC = PreprocessSpec(height=64, width=64, views=("whole", "detail"))


@pytest.fixture
def copies(tmp_path: Path, photos: dict[str, np.ndarray]) -> list[DegradedPhoto]:
    for name in ("coffee", "chelsea"):
        Image.fromarray(photos[name][:128, :160]).save(tmp_path / f"{name}.png")
    return [DegradedPhoto(tmp_path / f"{name}.png", CLEAN, 0, 0) for name in ("coffee", "chelsea", "coffee")]


def test_the_mean_direction_over_the_views_is_computed_once_for_a_content(
    tmp_path: Path, copies: list[DegradedPhoto], tiny_teacher: Teacher
) -> None:
    seen = []

    def prepare(copy: DegradedPhoto) -> np.ndarray:
        seen.append(copy)
        return preprocess(copy.photo, SPEC)

    first = teacher_embeddings(tiny_teacher, copies, prepare, "two views", tmp_path / "cache")
    assert len(seen) == 2 and torch.equal(first[0], first[2]) and not torch.allclose(first[0], first[1])
    with torch.no_grad():
        views = tiny_teacher.embed(torch.from_numpy(preprocess(copies[0].photo, SPEC)))
    assert torch.allclose(first[0], torch.nn.functional.normalize(views.mean(0), dim=0), atol=2e-3)

    moved = [DegradedPhoto(tmp_path / "elsewhere" / copy.photo.name, CLEAN, 0, 0) for copy in copies]
    (tmp_path / "elsewhere").mkdir()
    for old, new in zip(copies, moved):
        shutil.copy(old.photo, new.photo)
    again = teacher_embeddings(tiny_teacher, moved, prepare, "two views", tmp_path / "cache")
    assert len(seen) == 2 and torch.equal(again, first)


def test_another_view_or_another_teacher_is_computed_anew(
    tmp_path: Path, copies: list[DegradedPhoto], tiny_teacher: Teacher
) -> None:
    def count(view: str) -> int:
        seen = []
        prepare = lambda copy: seen.append(copy) or preprocess(copy.photo, SPEC)  # noqa: E731
        teacher_embeddings(tiny_teacher, copies, prepare, view, tmp_path / "cache")
        return len(seen)

    assert [count("a"), count("a"), count("b")] == [2, 0, 2]
    with torch.no_grad():
        tiny_teacher.visual.conv1.weight.mul_(1.5)
    assert count("a") == 2


@pytest.fixture
def files(tmp_path: Path, photos: dict[str, np.ndarray]) -> list[Path]:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("coffee", "chelsea", "rocket"):
        Image.fromarray(photos[name][:128, :160]).save(folder / f"{name}.png")
    return sorted(folder.iterdir())


def test_the_teacher_scores_photos_over_the_views_that_the_student_sees(
    tmp_path: Path, files: list[Path], tiny_teacher: Teacher
) -> None:
    mos_set = MosSet("own", files, np.array([0.2, 0.8, 0.5]), np.array(["a", "b", "a"]))
    labels = pseudo_labels(tiny_teacher, mos_set, tmp_path / "cache")
    for path, score in zip(files, labels):
        with torch.no_grad():
            views = tiny_teacher.embed(torch.from_numpy(preprocess(path, INPUT_SPEC)))
            seen = torch.nn.functional.normalize(views.mean(0), dim=0)[None]
            expected = prompt_scores(seen, tiny_teacher.text(), tiny_teacher.config.scoring).score.item()
        assert score.item() == pytest.approx(expected, abs=0.01)
    copies = severity_ladders(files[:1], 1, seed=0)
    of_copies = embeddings_of_copies(tiny_teacher, copies, tmp_path / "cache")
    assert of_copies.shape == (6, 32) and torch.allclose(of_copies.norm(dim=1), torch.ones(6), atol=1e-5)
    embedding = embeddings_of_photos(tiny_teacher, mos_set, tmp_path / "cache")
    again = prompt_scores(embedding, tiny_teacher.text().detach(), tiny_teacher.config.scoring).score
    assert torch.equal(again, labels)


def test_a_packaged_teacher_whose_trunk_nothing_trained_scores_from_features_as_it_does_from_photos(
    tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distill.teacher.packaged_features.FrozenTrunk", EagerTrunk)
    teacher = load_teacher(TeacherConfig())
    mos_set = MosSet("own", files, np.array([0.2, 0.8, 0.5]), np.array(["a", "b", "a"]))
    assert PACKAGED["lite2"].keeps_trunk(teacher.visual)
    cache = tmp_path / "cache"
    from_features = pseudo_labels(teacher, mos_set, cache)
    assert [file.name.startswith("own-") for file in cache.iterdir()] == [True]
    copies = severity_ladders(files[:1], 1, seed=0)
    features, embedding = features_and_embeddings(teacher, mos_set, copies, cache)
    assert features.shape == (3 + 6, 2 * PACKAGED["lite2"].width)
    with torch.no_grad():
        projection = teacher.visual.head.proj
        projected = embed_views(features[3:], projection.weight, projection.bias)
    assert torch.equal(projected, embeddings_of_copies(teacher, copies, cache))
    assert torch.allclose(embedding[3:], projected, atol=1e-6) and embedding.shape == (3 + 6, 384)
    with torch.no_grad():
        next(teacher.visual.trunk.parameters())[0, 0, 0, 0] += 1e-5
    assert not PACKAGED["lite2"].keeps_trunk(teacher.visual)
    kept = len(list(cache.iterdir()))
    from_photos = pseudo_labels(teacher, mos_set, cache)
    assert len(list(cache.iterdir())) == kept + 1
    features, embedding = features_and_embeddings(teacher, mos_set, copies, cache)
    assert features.shape == (3 + 6, 384) and torch.equal(features, embedding), "embeddings, where nothing else is"
    assert from_features.numpy() == pytest.approx(from_photos.numpy(), abs=0.01)
