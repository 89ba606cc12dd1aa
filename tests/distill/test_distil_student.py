"""What stage C is given: scored photos, then ladders, a photo's copies always on one side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pocketiqa.preprocess import preprocess

from distill.data.degraded_photos import CLEAN, render, severity_ladders
from distill.data.mos_sets import MosSet
from distill.networks.student import INPUT_SPEC
from distill.stages.distil_student import prepare_lesson, teacher_lesson, teacher_scores
from distill.teacher.packaged import keeps_packaged_trunk
from distill.teacher.teacher import Teacher, TeacherConfig, load_teacher, read_prompts


@pytest.fixture
def files(tmp_path: Path, photos: dict[str, np.ndarray]) -> list[Path]:
    for name in ("coffee", "chelsea", "rocket"):
        Image.fromarray(photos[name][:128, :160]).save(tmp_path / f"{name}.png")
    return sorted(tmp_path.iterdir())


def test_scored_photos_come_first_with_their_scores_and_rungs_after_them_with_their_attributes(
    files: list[Path],
) -> None:
    mos_set = MosSet("own", files[:2], np.array([0.2, 0.8]), np.array(["a", "b"]))
    copies = severity_ladders(files[2:], kinds_per_photo=1, seed=0)
    lesson = prepare_lesson(mos_set, copies, torch.zeros(8, 4), torch.eye(8))
    assert len(lesson.copies) == 2 + 6
    assert lesson.mos[:2].tolist() == pytest.approx([0.2, 0.8]) and lesson.mos[2:].isnan().all()
    assert lesson.attributes[:2].isnan().all() and lesson.attributes[2].eq(1).all()
    assert lesson.copies[0].kind == CLEAN and len(set(lesson.sources)) == 3
    assert np.array_equal(lesson.views(0), preprocess(files[0], INPUT_SPEC))
    assert np.array_equal(lesson.views(7), render(copies[5], INPUT_SPEC))
    assert len(set(lesson.held_out[2:])) == 1


def test_the_teacher_scores_photos_over_the_views_that_the_student_sees(
    tmp_path: Path, files: list[Path], tiny_teacher: Teacher
) -> None:
    mos_set = MosSet("own", files, np.array([0.2, 0.8, 0.5]), np.array(["a", "b", "a"]))
    told = teacher_scores(tiny_teacher, mos_set, tmp_path / "cache")
    for path, score in zip(files, told):
        with torch.no_grad():
            views = tiny_teacher.embed(torch.from_numpy(preprocess(path, INPUT_SPEC)))
            seen = torch.nn.functional.normalize(views.mean(0), dim=0)[None]
            expected = read_prompts(seen, tiny_teacher.text(), tiny_teacher.config.scoring).score.item()
        assert score.item() == pytest.approx(expected, abs=0.01)
    copies = severity_ladders(files[:1], 1, seed=0)
    lesson = teacher_lesson(tiny_teacher, mos_set, copies, torch.zeros(3 + len(copies), 4), tmp_path / "cache")
    assert lesson.embedding.shape == (9, 32)
    assert torch.allclose(lesson.embedding.norm(dim=1), torch.ones(9), atol=1e-5)
    again = read_prompts(lesson.embedding[:3], tiny_teacher.text().detach(), tiny_teacher.config.scoring).score
    assert torch.equal(again, told)


def test_a_packaged_teacher_whose_trunk_nothing_trained_scores_from_features_as_it_does_from_photos(
    tmp_path: Path, files: list[Path]
) -> None:
    teacher = load_teacher(TeacherConfig())
    mos_set = MosSet("own", files, np.array([0.2, 0.8, 0.5]), np.array(["a", "b", "a"]))
    assert keeps_packaged_trunk(teacher.visual)
    cache = tmp_path / "cache"
    from_features = teacher_scores(teacher, mos_set, cache)
    assert [file.name.startswith("own-") for file in cache.iterdir()] == [True]
    with torch.no_grad():
        next(teacher.visual.trunk.parameters())[0, 0, 0, 0] += 1e-5
    assert not keeps_packaged_trunk(teacher.visual)
    from_photos = teacher_scores(teacher, mos_set, cache)
    assert len(list(cache.iterdir())) == 2
    assert from_features.numpy() == pytest.approx(from_photos.numpy(), abs=0.01)
