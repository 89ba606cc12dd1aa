"""Teacher targets: computed once, keyed by content."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pocketiqa.preprocess import PreprocessSpec, preprocess

from distill.data.degraded_photos import CLEAN, DegradedPhoto
from distill.teacher.targets import teacher_embeddings
from distill.teacher.teacher import Teacher

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
