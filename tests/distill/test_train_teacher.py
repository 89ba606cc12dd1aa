"""Both stages of the teacher to their end, and what a user gets for a mistake."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from eager_trunk import EagerTrunk

from distill.data.mos_sets import MosSetError
from distill.data.smoke_photos import write_smoke_photos
from distill.heads.projection import ProjectionConfig
from distill.stages.train_teacher import TeacherRunConfig, train_teacher
from distill.teacher.load import load_trained_teacher
from distill.teacher.two_towers import TeacherError
from distill.training.run_folder import RunError
from distill.training.trainer import TrainerConfig


@pytest.fixture(scope="module", autouse=True)
def without_lowering() -> Iterator[None]:
    """A trunk's program equals the trunk (``test_frozen_trunk.py``) and takes eight seconds to build."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("distill.teacher.packaged_features.FrozenTrunk", EagerTrunk)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("teacher")
    train_teacher(TeacherRunConfig(folder, preset="smoke", keep_start=0.25))
    return folder


def test_the_smoke_preset_trains_the_packaged_teacher_and_leaves_a_whole_run(run: Path) -> None:
    for stage in ("alignment", "opinions"):
        files = {file.name for file in (run / stage).iterdir()}
        assert {"config.json", "metrics.csv", "curves.png", "checkpoint.pt"} == files
    metrics = (run / "alignment" / "metrics.csv").read_text()
    assert all(term in metrics for term in ("consistency", "positive", "negative", "symmetric"))
    teacher = load_trained_teacher(run)
    with torch.no_grad():
        assert teacher(torch.rand(1, 3, 96, 64)).score.isfinite().all()


def test_a_finished_run_started_again_ends_with_the_same_teacher_and_only_the_image_tower_had_moved(run: Path) -> None:
    before = load_trained_teacher(run).fingerprint()
    train_teacher(TeacherRunConfig(run, preset="smoke", keep_start=0.25))
    assert load_trained_teacher(run).fingerprint() == before
    moved = torch.load(run / "opinions" / "checkpoint.pt")["weights"]
    assert moved and all(name.startswith("teacher.towers.visual.") for name in moved)


def test_another_configuration_in_the_same_folder_is_refused(run: Path) -> None:
    with pytest.raises(RunError, match="seed differ"):
        train_teacher(TeacherRunConfig(run, preset="smoke", keep_start=0.25, seed=1))


def test_a_projection_without_stages_ranks_the_photos_that_it_held_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, scored = write_smoke_photos(tmp_path / "photos")
    none = TrainerConfig(steps=0)
    config = TeacherRunConfig(
        tmp_path,
        mos_set=["own"],
        mos_folder=[scored],
        cache=tmp_path / "cache",
        probe=ProjectionConfig(iterations=2),
        alignment_steps=none,
        opinion_steps=none,
    )
    monkeypatch.setattr("distill.stages.train_teacher.split_by_hash", lambda paths, _: np.arange(len(paths)) < 6)
    figures = train_teacher(config)
    assert figures.keys() == {"srcc own even", "srcc own odd"}
    assert all(-1 <= figure <= 1 for figure in figures.values())


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"mos_set": ["own"]}, "a folder for every set"),
        ({}, "--pristine"),
    ],
)
def test_missing_data_is_answered_with_the_option_to_give(tmp_path: Path, config: dict, said: str) -> None:
    with pytest.raises(MosSetError, match=said):
        train_teacher(TeacherRunConfig(tmp_path, **config))


def test_a_folder_without_a_teacher_says_how_to_train_one(tmp_path: Path) -> None:
    with pytest.raises(TeacherError, match="python -m distill teacher"):
        load_trained_teacher(tmp_path)
