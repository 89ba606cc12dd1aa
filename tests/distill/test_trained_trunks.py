"""Trained trunks are measured without the source left out, from one start, and every switch has its row."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from eager_trunk import EagerTrunk
from PIL import Image

from distill.data.degraded_photos import attribute_targets, severity_ladders
from distill.data.mos_sets import MosSet
from distill.experiments.figures import change
from distill.experiments.fold import Fold, Photos
from distill.experiments.trained_rows import student_rows, teacher_rows
from distill.experiments.trained_trunks import TrainedTrunksConfig, lesson_of, student_scores, teacher_scores
from distill.networks.student import ATTRIBUTES, WIDTH, quality_of
from distill.stages.distillation import DistillationConfig
from distill.teacher.load import load_teacher
from distill.teacher.packaged import STAGE_WIDTH
from distill.teacher.teacher import TeacherConfig
from distill.training.features import LadderFeatures, ScoredFeatures
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
    return Fold("b", all_photos, ranked=3, judged=1, seed=0, pseudo_labels=0.3, teacher="lite2")


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


def test_the_change_is_zero_of_equal_scores_and_positive_of_better_ones() -> None:
    random = np.random.default_rng(0)
    mos = [random.random(200) for _ in range(2)]
    worse, better = ([m + random.normal(0, noise, 200) for m in mos] for noise in (0.3, 0.1))
    assert str(change(mos, worse, worse, seed=0)) == "+0.000 ± 0.000"
    gain = change(mos, worse, better, seed=0)
    assert gain.value > gain.half > 0
