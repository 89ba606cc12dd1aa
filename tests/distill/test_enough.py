"""Opinions that teach or tell nothing are refused or named before anything is trained."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from distill.data.enough import check_opinions, defined, nothing_to_rank
from distill.data.intervals import srcc_within
from distill.data.mos_sets import MosSet, MosSetError
from distill.networks.student import HIDDEN_UNITS, OUTPUTS, WIDTH
from distill.stages.student_record import validation_figures
from distill.stages.train_student import StudentConfig, train_student
from distill.stages.train_teacher import TeacherRunConfig, train_teacher
from distill.stages.train_trunk import TrunkConfig, train_trunk
from distill.training.features import ScoredFeatures
from distill.training.run_folder import RunFolder


def opinions(scores: list[float], sources: str = "") -> MosSet:
    paths = [Path(f"{number}.png") for number in range(len(scores))]
    return MosSet("own", paths, np.array(scores), np.array(list(sources or "a" * len(scores))))


def said(mos_set: MosSet, validating: int, capsys: pytest.CaptureFixture[str], **how: bool) -> str:
    check_opinions(mos_set, np.arange(len(mos_set)) < validating, **how)
    return capsys.readouterr().err


def test_what_cannot_be_ranked_is_said_in_words() -> None:
    for scores, words in (([], "no photo"), ([0.3], "one photo"), ([0.5] * 4, "4 photos that all have the score 0.5")):
        assert nothing_to_rank(np.array(scores)) == words
    assert nothing_to_rank(np.array([0.5, 0.5, 0.6])) is None


def test_enough_different_scores_pass_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(opinions([number / 20 for number in range(20)]), 2, capsys) == ""


def test_few_photos_and_a_validation_part_that_tells_nothing_are_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    few = said(opinions([number / 12 for number in range(12)]), 2, capsys)
    assert few == "warning: the MOS set own has 12 scored photos; what is learnt from fewer than 16 is chance\n"
    many = opinions([0.5, 0.5, *(number / 20 for number in range(20))])
    for validating, words in ((0, "no photo"), (1, "one photo"), (2, "2 photos that all have the score 0.5")):
        assert f"leaves {words} to validate by" in said(many, validating, capsys)


@pytest.mark.parametrize(("scores", "validating"), [([0.5] * 24, 2), ([0.1, 0.9], 1), ([0.1, *[0.5] * 24], 1), ([], 0)])
def test_scores_that_teach_nothing_are_refused(
    scores: list[float], validating: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(MosSetError, match=r"leaves .* to train on, which teach nothing; give photos whose scores"):
        said(opinions(scores), validating, capsys)


def test_a_live_teacher_needs_two_scores_within_a_source(capsys: pytest.CaptureFixture[str]) -> None:
    apart = opinions([0.1, 0.9] * 10, "ab" * 10)
    said(apart, 2, capsys)
    with pytest.raises(MosSetError, match="no source with two different scores"):
        said(apart, 2, capsys, within_a_source=True)


def test_every_command_refuses_photos_whose_opinions_are_all_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(24):
        (tmp_path / f"{number}.png").touch()
    (tmp_path / "scores.csv").write_text("\n".join(["name,score", *(f"{number}.png,0.5" for number in range(24))]))
    run, folders = tmp_path / "run", {"mos_folder": tmp_path, "pristine": [tmp_path], "mos_set": "own"}
    teacher = TeacherRunConfig(run, [tmp_path], ["own"], [tmp_path])
    for train, config in (
        (train_student, StudentConfig(run=run, **folders)),
        (train_trunk, TrunkConfig(run=run, **folders)),
        (train_teacher, teacher),
    ):
        with pytest.raises(MosSetError, match=r"photos that all have the score 0\.5 to train on"):
            train(config)
    assert not run.exists()


def test_figures_that_are_not_defined_are_none_or_left_out_and_never_nan(tmp_path: Path) -> None:
    assert defined(float("nan")) is None and defined(0.25) == 0.25
    sources, mos = np.array(list("aabb")), np.array([0.1, 0.9, 0.5, 0.5])
    assert srcc_within(np.array([1.0, 2.0, 3.0, 4.0]), mos, sources) == {"a": 1.0}
    scored = ScoredFeatures(torch.rand(4, 2 * WIDTH), torch.tensor(mos), sources)
    heads = torch.rand(len(OUTPUTS) + HIDDEN_UNITS, 2 * WIDTH), torch.zeros(len(OUTPUTS) + HIDDEN_UNITS)
    for held_out in (mos < 0, mos == 0.9, mos == 0.5):
        figures = validation_figures(scored, torch.tensor(mos), held_out, heads)
        assert figures["srcc"] is figures["plcc"] is figures["srcc_to_teacher"] is None
        assert figures["srcc_within_source"] == {} and json.dumps(figures, allow_nan=False)
    run = RunFolder(tmp_path, {})
    run.log(1, {"loss": 0.5, "srcc own": float("nan")})
    assert (tmp_path / "metrics.csv").read_text() == "step,name,value\n1,loss,0.5\n"
