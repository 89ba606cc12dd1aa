"""``python -m distill trunk``: a live teacher trains a trunk, and ``student --trunk`` fits heads to it."""

from __future__ import annotations

import copy
import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from eager_trunk import EagerTrunk
from safetensors.torch import load_file
from tiny_towers import tiny_towers

from distill.data.mos_sets import MosSet, MosSetError
from distill.networks.student import Student
from distill.stages import train_trunk as module
from distill.stages.train_student import StudentConfig, train_student
from distill.stages.train_trunk import TrunkConfig, train_trunk
from distill.stages.trunk_run import load_trunk_run
from distill.teacher.any_resolution import accept_any_resolution
from distill.teacher.clip_features import BlockStatistics
from distill.training.run_folder import RunError


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the smoke preset, with a tiny tower in CLIP's place."""
    torch.manual_seed(0)
    visual = tiny_towers("vit").model.visual
    accept_any_resolution(visual)
    folder = tmp_path_factory.mktemp("trunk")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "clip_trunk", lambda: BlockStatistics(copy.deepcopy(visual), blocks=(1,)))
        train_trunk(TrunkConfig(preset="smoke", run=folder))
    return folder


def test_the_run_trains_imagenets_trunk_behind_its_first_stage(run: Path) -> None:
    before, after = Student().state_dict(), load_file(run / "trunk.safetensors")
    assert set(before) == set(after)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert any(name.startswith("trunk.stages.6") for name in moved)
    assert not any(name.startswith(("trunk.stem", "trunk.stages.0")) for name in moved)


def test_the_run_keeps_the_scores_of_every_undistorted_photo(run: Path) -> None:
    with (run / "scores.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 12 + 2 and all(np.isfinite(float(row["score"])) for row in rows)
    record = json.loads((run / "trunk.json").read_text())
    assert record["photos"] == 14 and record["copies"] == 2 * 12 + 2 * 6


def test_a_student_takes_the_trunk_and_three_tenths_of_its_teachers_scores(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distill.stages.train_student.FrozenTrunk", EagerTrunk)
    config = StudentConfig(
        mos_folder=run / "photos" / "scored",
        pristine=[run / "photos" / "pristine"],
        mos_set="own",
        trunk=run,
        run=tmp_path / "student",
        cache=tmp_path / "cache",
        kinds_per_photo=1,
    )
    record = train_student(config)
    student = load_file(tmp_path / "student" / "student.safetensors")
    trunk = load_file(run / "trunk.safetensors")
    assert all(torch.equal(student[name], trunk[name]) for name in trunk if name.startswith("trunk."))
    assert record["distillation"]["told"] == 0.3 and record["distillation"]["teacher"]["model"] == "clip-b16"


def test_two_teachers_are_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="leave out --teacher"):
        train_student(StudentConfig(trunk=run, teacher=tmp_path))


def test_a_run_that_did_not_finish_is_no_trunk(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no finished run"):
        load_trunk_run(tmp_path)


def test_a_photo_that_the_teacher_was_not_asked_about_is_named(run: Path) -> None:
    other = MosSet("own", [Path("unknown.jpg")], np.array([0.5]), np.array(["a"]))
    with pytest.raises(RunError, match=r"unknown\.jpg"):
        load_trunk_run(run).scores(other)


def test_two_photos_of_one_name_are_told_apart_or_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text("name,score\na.jpg,0.25\na.jpg,0.75\n")
    trunk = replace(load_trunk_run(run), folder=tmp_path)
    mine = MosSet("own", [Path("x/a.jpg"), Path("y/a.jpg")], np.array([0.5, 0.6]), np.array(["a", "a"]))
    assert trunk.scores(mine.take(np.array([0]))).tolist() == [0.25], "the MOS set's photos come first"
    with pytest.raises(RunError, match=r"2 photos are called 'a\.jpg'.* give each its own name"):
        trunk.scores(mine)


def test_the_scores_of_another_versions_run_are_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_text("name,kernel,tuned\na.jpg,0.25,0.5\n")
    mine = MosSet("own", [Path("a.jpg")], np.array([0.5]), np.array(["a"]))
    with pytest.raises(RunError, match=r"no column score.*give --labels"):
        replace(load_trunk_run(run), folder=tmp_path).scores(mine)


def test_a_broken_photo_is_named_before_any_is_copied_or_the_tower_is_loaded(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "broken.png").write_text("no picture")
    monkeypatch.setattr(module, "fill_pool", None)
    scored, pristine = (run / "photos" / name for name in ("scored", "pristine"))
    config = TrunkConfig(scored, [pristine], [photos], mos_set="own", run=tmp_path / "run")
    with pytest.raises(MosSetError, match=r"1 of 15 training photos cannot be used; .*broken\.png: "):
        train_trunk(config)
    assert not config.run.exists()
