"""Trained trunks are measured without the source left out, from one start, and every switch has its row."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import tyro
from eager_trunk import EagerTrunk
from PIL import Image

from distill.data.degraded_photos import attribute_targets, severity_ladders
from distill.data.mos_sets import MosSet
from distill.experiments.figures import change
from distill.experiments.fold import Fold, Photos
from distill.experiments.trained_rows import StudentSteps, TeacherSteps, student_rows, teacher_rows
from distill.experiments.trained_trunks import (
    STARTS,
    TrainedTrunksConfig,
    chosen_rows,
    kept_scores,
    lesson_of,
    photos_and_features,
    student_scores,
    teacher_scores,
)
from distill.networks.student import ATTRIBUTES, WIDTH, quality_of
from distill.stages.distillation import DistillationConfig
from distill.teacher.load import load_teacher
from distill.teacher.packaged import STAGE_WIDTH
from distill.teacher.teacher import Teacher, TeacherConfig
from distill.training.features import LadderFeatures, ScoredFeatures
from distill.training.run_folder import RunError
from distill.training.trainer import TrainerConfig

SOURCES = np.array(["a", "b", "c"] * 4)
WIDTHS = {"student": 2 * WIDTH, "teacher": 2 * STAGE_WIDTH}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainedTrunksConfig:
    one = TrainerConfig(steps=1, batch=2, rate=1e-5)
    folder = tmp_path_factory.mktemp("trained trunks")
    return TrainedTrunksConfig(folder, [], run=folder / "run", distillation=one, alignment=one, opinions=one)


@pytest.fixture(scope="module")
def all_photos(config: TrainedTrunksConfig, photos: dict[str, np.ndarray]) -> Photos:
    folder, rocket = config.mos_folder, Image.fromarray(photos["rocket"])
    paths = [folder / f"{number}.png" for number in range(12)]
    for number, path in enumerate(paths):
        rocket.crop((20 * number, 10 * number, 20 * number + 200, 10 * number + 160)).save(path)
    # In folders whose order is not that of the names.
    pristine = [folder / place / f"pristine {number}.png" for number, place in enumerate("mmza")]
    for number, path in enumerate(pristine):
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(photos["coffee"][40 * number : 40 * number + 128, :160]).save(path)
    mos_set = MosSet("own", paths, np.linspace(0.1, 0.9, 12), SOURCES)
    copies = severity_ladders(pristine, 1, seed=0)
    generator = torch.Generator().manual_seed(0)
    pairs = torch.tensor([(row - 1, row) for row, copy in enumerate(copies) if copy.level])
    targets = torch.from_numpy(attribute_targets(copies, ATTRIBUTES))
    features = {}
    for trunk, width in WIDTHS.items():
        scored, of_rungs = (torch.rand(count, width, generator=generator) for count in (12, len(copies)))
        mos = torch.tensor(mos_set.mos, dtype=torch.float32)
        features[trunk] = ScoredFeatures(scored, mos, SOURCES), LadderFeatures(of_rungs, targets, pairs)
    return Photos(mos_set, copies, np.array([copy.photo in pristine[2:] for copy in copies]), **features)


@pytest.fixture(scope="module")
def fold(all_photos: Photos) -> Fold:
    def make_teacher(context_tokens: int) -> Teacher:
        return load_teacher(TeacherConfig(context_tokens=context_tokens))

    return Fold("b", all_photos, ranked=3, judged=1, seed=0, pseudo_labels=0.3, make_teacher=make_teacher)


@pytest.mark.slow
def test_a_fold_learns_nothing_of_its_source_and_ranks_nothing_else(fold: Fold) -> None:
    assert "b" not in fold.seen.sources and set(fold.ranked.sources) == {"b"} and len(fold.ranked) == 3
    lesson = lesson_of(fold)
    assert "b" not in lesson.sources and not lesson.held_out.any()
    assert len(lesson.kinds) == len(fold.seen) + len(fold.copies) == len(lesson.features) == len(lesson.embedding)
    learnt, judged = ({copy.photo for copy in copies} for copies in (fold.copies, fold.judged))
    assert len(learnt) == 2 and not learnt & judged
    assert {photo.name for photo in judged} == {"pristine 2.png"}, "the first by name, whatever folder it lies in"


@pytest.mark.slow
def test_a_row_starts_where_the_fit_ends_and_every_step_moves_it(
    fold: Fold, config: TrainedTrunksConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("distill.experiments.trained_trunks", "distill.teacher.packaged_features"):
        monkeypatch.setattr(f"{place}.FrozenTrunk", EagerTrunk)
    none = replace(config.distillation, steps=0)
    still = replace(config, run=config.run / "still", distillation=none, alignment=none, opinions=none)
    for scores_of, rows, last in (
        (student_scores, student_rows(), "student: all of stage C"),
        (teacher_scores, teacher_rows(), "teacher: stages A and B"),
    ):
        start = next(iter(rows))
        before, unmoved, after = (
            scores_of(rows[name], fold, how.run / name, how)
            for name, how in ((start, config), (last, still), (last, config))
        )
        assert before.shape == (len(fold.ranked) + len(fold.judged),)
        assert np.array_equal(before, unmoved) and (np.abs(before - after) > 1e-6).all()


@pytest.mark.slow
def test_the_start_of_the_student_gives_the_scores_of_its_fitted_heads(fold: Fold) -> None:
    network = fold.student()
    features = fold.features[: len(fold.seen)]
    weight, bias = network.heads.linear()
    fitted = quality_of(features, weight, bias)[:, 0]
    assert np.corrcoef(fitted.detach(), fold.seen.mos)[0, 1] > 0.5


@pytest.mark.slow
def test_a_fitted_projection_stays_while_the_tower_learns_and_a_random_one_learns_too(fold: Fold) -> None:
    for teacher, learns in ((fold.teacher(0), False), (load_teacher(TeacherConfig()), True)):
        teacher.unfreeze()
        assert teacher.visual.head.proj.weight.requires_grad is learns
        assert all(parameter.requires_grad for parameter in teacher.visual.trunk.parameters())


def test_every_switch_of_every_stage_has_its_row() -> None:
    students = [how.loss for how in student_rows().values() if how.loss]
    for switch in fields(DistillationConfig):
        assert any(getattr(loss, switch.name) for loss in students), switch.name
    alignments = [how.alignment for how in teacher_rows().values() if how.alignment]
    assert any(one.symmetric for one in alignments) and any(one.attributes for one in alignments)


@pytest.mark.parametrize("rows", [student_rows(), teacher_rows()], ids=["student", "teacher"])
def test_a_row_is_compared_with_one_before_it_down_to_the_start(rows: dict[str, StudentSteps | TeacherSteps]) -> None:
    start, *others = rows
    assert rows[start].without is None
    for place, name in enumerate(others, start=1):
        assert rows[name].without in list(rows)[:place], name
    chosen = chosen_rows(rows, [others[-1]])
    assert chosen[0] == start and chosen[-1] == others[-1] and len(chosen) < len(rows)
    assert all(rows[name].without in chosen for name in chosen[1:])
    assert chosen_rows(rows, None) == list(rows) and chosen_rows(rows, ["no row"]) == []


@pytest.mark.parametrize(("teacher", "trunk"), [("lite2", "imagenet"), ("clip-b16", "shipped")])
def test_the_flags_choose_whose_features_are_read(
    config: TrainedTrunksConfig, all_photos: Photos, monkeypatch: pytest.MonkeyPatch, teacher: str, trunk: str
) -> None:
    read: list[object] = []
    command = ["--mos-folder", "any", "--pristine", "any", "--teacher", teacher, "--trunk", trunk]
    asked = tyro.cli(TrainedTrunksConfig, args=command)
    module = "distill.experiments.trained_trunks"
    monkeypatch.setattr(f"{module}.FrozenTrunk", lambda features, spec: features.student)
    monkeypatch.setattr(f"{module}.packaged_features", lambda name: name)
    monkeypatch.setattr(f"{module}.scored_features", lambda _, network, cache: read.append(network))
    monkeypatch.setattr(f"{module}.ladder_features", lambda *rest: None)
    photos_and_features(all_photos.mos_set, list({copy.photo for copy in all_photos.copies}), asked)
    student, name = read
    assert name == teacher
    expected = STARTS[trunk]().trunk.state_dict()
    assert all(torch.equal(tensor, expected[key]) for key, tensor in student.trunk.state_dict().items())
    other = STARTS["shipped" if trunk == "imagenet" else "imagenet"]().trunk.stages[6].state_dict()
    assert not all(torch.equal(tensor, other[key]) for key, tensor in student.trunk.stages[6].state_dict().items())


def test_scores_are_kept_for_the_same_settings_alone_and_checkpoints_are_not(
    config: TrainedTrunksConfig, tmp_path: Path
) -> None:
    asked = []

    def scores_of(how: TeacherSteps, fold: SimpleNamespace, folder: Path, config: TrainedTrunksConfig) -> np.ndarray:
        asked.append(folder)
        (folder / "stage").mkdir()
        (folder / "stage" / "checkpoint.pt").touch()
        return np.arange(3.0)

    fold, own = SimpleNamespace(source="b"), replace(config, run=tmp_path)
    for _ in range(2):
        kept = kept_scores(scores_of, "teacher: a row", TeacherSteps(), fold, own)
        assert np.array_equal(kept, np.arange(3.0)) and asked == [tmp_path / "teacher-a-row" / "b"]
    assert not list(tmp_path.rglob("checkpoint.pt"))
    with pytest.raises(RunError, match="another configuration"):
        kept_scores(scores_of, "teacher: a row", TeacherSteps(), fold, replace(own, ranked=own.ranked + 1))


@pytest.mark.slow
def test_a_fold_s_projection_lies_in_the_prompts_span(fold: Fold) -> None:
    span = torch.linalg.svd(fold.text.t(), full_matrices=False).U
    for part in (fold.embedding, fold.teacher(0).visual.head.proj.weight.t()):
        torch.testing.assert_close(part @ span @ span.t(), part, atol=1e-6, rtol=1e-4)


def test_the_change_is_zero_of_equal_scores_and_positive_of_better_ones() -> None:
    random = np.random.default_rng(0)
    mos = [random.random(200) for _ in range(2)]
    worse, better = ([m + random.normal(0, noise, 200) for m in mos] for noise in (0.3, 0.1))
    assert str(change(mos, worse, worse, seed=0)) == "+0.000 ± 0.000"
    gain = change(mos, worse, better, seed=0)
    assert gain.value > gain.half > 0
