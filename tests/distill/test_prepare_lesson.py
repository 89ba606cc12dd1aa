"""What stage C is given: scored photos, then ladders, a photo's copies always on one side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pocketiqa.preprocess import preprocess

from distill.data.degraded_photos import CLEAN, DegradedPhoto, render, severity_ladders
from distill.data.mos_sets import MosSet
from distill.degradations.degrade import KINDS, LEVELS
from distill.networks.student import INPUT_SPEC
from distill.stages.prepare_lesson import kind_and_level, prepare_lesson, rows_of_ladders


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
    lesson = prepare_lesson(mos_set, copies, torch.zeros(8, 4), torch.eye(8), INPUT_SPEC)
    assert len(lesson.mos) == len(lesson.kinds) == 2 + 6
    assert lesson.mos[:2].tolist() == pytest.approx([0.2, 0.8]) and lesson.mos[2:].isnan().all()
    assert lesson.attributes[:2].isnan().all() and lesson.attributes[2].eq(1).all()
    assert lesson.kinds[:3].tolist() == [-1, -1, 0] and lesson.kinds[3:].diff().eq(1).all()
    assert lesson.ladders == [[2, 3, 4, 5, 6, 7]] and len(set(lesson.sources)) == 3
    assert np.array_equal(lesson.views(0), preprocess(files[0], INPUT_SPEC))
    assert np.array_equal(lesson.views(7), render(copies[5], INPUT_SPEC))
    for row in (0, 7):  # a window of the view's own size is the view
        assert np.abs(lesson.windows(row, 320, np.random.default_rng(0))[0] - lesson.views(row)[0]).max() < 0.01
    assert len(set(lesson.held_out[2:])) == 1


def test_a_ladder_begins_at_its_clean_photo_and_rises_whatever_the_order_of_its_copies() -> None:
    copies = [DegradedPhoto(Path("a"), "jpeg", level, 0) for level in (3, 1)]
    copies += [DegradedPhoto(Path("a"), CLEAN, 0, 0), DegradedPhoto(Path("b"), CLEAN, 0, 1)]
    assert rows_of_ladders(copies) == [[2, 1, 0]]


def test_every_kind_and_level_has_a_number_of_its_own() -> None:
    numbers = [kind_and_level(DegradedPhoto(Path("a"), kind, level, 0)) for kind in KINDS for level in LEVELS]
    assert sorted(numbers) == list(range(1, 121)) and kind_and_level(DegradedPhoto(Path("a"), CLEAN, 0, 0)) == 0
