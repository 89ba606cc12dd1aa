"""A teacher's scores of a set are a CSV, a line a photo, named by its path below the set's folder."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from distill.stages.score_photos import TeacherScoresConfig, write_teacher_scores
from distill.teacher.load import save_trained_teacher
from distill.teacher.teacher import Teacher
from distill.teacher.two_towers import TeacherError


@pytest.fixture
def own(tmp_path: Path, photos: dict[str, np.ndarray]) -> Path:
    folder = tmp_path / "own"
    (folder / "garden").mkdir(parents=True)
    for name in ("garden/coffee", "rocket"):
        Image.fromarray(photos[Path(name).name][:80, :100]).save(folder / f"{name}.png")
    (folder / "scores.csv").write_text("name,score,split\nrocket.png,0.2,test\ngarden/coffee.png,0.8,test\n")
    return folder


def test_every_photo_of_the_split_has_a_line_with_its_score(
    tmp_path: Path, own: Path, tiny_teacher: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distill.stages.score_photos.load_trained_teacher", lambda run: tiny_teacher)
    config = TeacherScoresConfig(tmp_path / "run", own, "own", cache=tmp_path / "cache")
    assert write_teacher_scores(config) == {"n": 2, "out": str(tmp_path / "run" / "scores.csv")}
    with (tmp_path / "run" / "scores.csv").open(newline="") as stream:
        rows = {row["name"]: float(row["score"]) for row in csv.DictReader(stream)}
    assert list(rows) == ["rocket.png", "garden/coffee.png"] and all(0 <= score <= 1 for score in rows.values())
    write_teacher_scores(TeacherScoresConfig(tmp_path / "run", own, "own", "test", tmp_path / "a.csv", tmp_path / "c"))
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "run" / "scores.csv").read_bytes()


def test_a_folder_without_a_teacher_writes_nothing(tmp_path: Path, own: Path, tiny_teacher: Teacher) -> None:
    save_trained_teacher(tiny_teacher, tmp_path, {})
    (tmp_path / "teacher.json").unlink()
    with pytest.raises(TeacherError, match="python -m distill teacher"):
        write_teacher_scores(TeacherScoresConfig(tmp_path, own, "own"))
    assert not (tmp_path / "scores.csv").exists()
