"""Stage C at a small size: every term reaches what it should teach, vanishes at weight 0, and can be learnt."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from distill.data.degraded_photos import CLEAN, DegradedPhoto, attribute_targets
from distill.degradations.degrade import degrade
from distill.networks.student import ATTRIBUTES, Student
from distill.stages.distillation import DistillationConfig, DistillationStage
from distill.stages.lesson import Lesson
from distill.stages.prepare_lesson import kind_and_level, rows_of_ladders
from distill.teacher.teacher import Teacher

TERMS = [field.name for field in fields(DistillationConfig) if field.type == "float" and field.name != "trunk_rate"]
ALL = DistillationConfig(**dict.fromkeys(TERMS, 1.0))
TOWARDS_THE_START = "keep_features"  # zero, and without a gradient, until the trunk has moved


@pytest.fixture(scope="module")
def copies() -> list[DegradedPhoto]:
    scored = [DegradedPhoto(Path(f"scored {number}"), CLEAN, 0, 0) for number in range(4)]
    ladder = [DegradedPhoto(Path("pristine"), "gaussian_blur", level, 0) for level in (1, 3, 5)]
    return [*scored, DegradedPhoto(Path("pristine"), CLEAN, 0, 0), *ladder]


@pytest.fixture(scope="module")
def lesson(copies: list[DegradedPhoto], photos: dict[str, np.ndarray]) -> Lesson:
    picture = torch.from_numpy(photos["chelsea"][60:124, 120:184].copy()).permute(2, 0, 1)[None].float() / 255
    images = [picture.roll(8 * row, -1) for row in range(4)] + [
        degrade(picture, copy.kind, copy.level, 0) if copy.level else picture for copy in copies[4:]
    ]

    def views(row: int) -> np.ndarray:
        return images[row].expand(2, -1, -1, -1).contiguous().numpy()

    def window(row: int, side: int, random: np.random.Generator) -> np.ndarray:
        top = int(random.integers(0, 65 - side))
        return views(row)[..., top : top + side, :side]

    with torch.no_grad():
        features = torch.stack([Student().eval().features(torch.from_numpy(views(row))).flatten() for row in range(8)])
    generator = torch.Generator().manual_seed(0)
    attributes = torch.from_numpy(attribute_targets(copies, ATTRIBUTES))
    attributes[:4] = torch.nan
    return Lesson(
        kinds=torch.tensor([*[-1] * 4, *(kind_and_level(copy) for copy in copies[4:])]),
        ladders=[[4 + row for row in rows] for rows in rows_of_ladders(copies[4:])],
        views=views,
        windows=window,
        features=features,
        embedding=torch.nn.functional.normalize(torch.randn(8, 32, generator=generator), dim=1),
        mos=torch.tensor([0.1, 0.4, 0.6, 0.9, *[torch.nan] * 4]),
        attributes=attributes,
        sources=np.array(["a"] * 4 + ["ladders"] * 4),
        held_out=np.array([False] * 3 + [True] + [False] * 2 + [True] * 2),
        teacher_features=torch.randn(8, 24, generator=generator),
    )


def stage_of(lesson: Lesson, teacher: Teacher, config: DistillationConfig) -> DistillationStage:
    torch.manual_seed(0)
    return DistillationStage(Student().eval(), lesson, teacher.text(), "both", config)


def batch_of(stage: DistillationStage) -> dict[str, torch.Tensor]:
    return stage.load([0, 1, 2, 4, 6, 7], seed=0)


def test_every_term_is_positive_and_reaches_the_trunk_alone_and_together(lesson: Lesson, tiny_teacher: Teacher) -> None:
    stage = stage_of(lesson, tiny_teacher, ALL)
    losses = stage(batch_of(stage))
    assert set(losses) == set(TERMS)
    first = stage.student.trunk.stem[0].weight
    for name, loss in losses.items():
        (gradient,) = torch.autograd.grad(loss, first, retain_graph=True)
        if name == TOWARDS_THE_START:
            assert loss < 1e-9
        else:
            assert loss > 0 and gradient.norm() > 0, name


def test_a_weight_of_zero_drops_its_term(lesson: Lesson, tiny_teacher: Teacher) -> None:
    stage = stage_of(lesson, tiny_teacher, replace(ALL, kinds=0.0, pairs=0.0))
    assert set(stage(batch_of(stage))) == set(TERMS) - {"kinds", "pairs"}


def test_scored_photos_have_no_kind_and_a_batch_of_them_costs_the_auxiliary_head_nothing(
    lesson: Lesson, tiny_teacher: Teacher
) -> None:
    stage = stage_of(lesson, tiny_teacher, ALL)
    batch = stage.load([0, 1, 2, 4, 5], seed=0)
    assert batch["kind"][:4].tolist() == [-1, -1, -1, 0] and batch["kind"][4] > 0
    assert stage(stage.load([0, 1], seed=0))["kinds"] == 0


def test_a_moved_trunk_is_drawn_back_to_its_features(lesson: Lesson, tiny_teacher: Teacher) -> None:
    stage = stage_of(lesson, tiny_teacher, ALL)
    with torch.no_grad():
        stage.student.trunk.stem[0].weight *= 1.1
    loss = stage(batch_of(stage))[TOWARDS_THE_START]
    (gradient,) = torch.autograd.grad(loss, stage.student.trunk.stem[0].weight)
    assert loss > 1e-4 and (gradient * stage.student.trunk.stem[0].weight).sum() > 0  # descent shrinks it again


def test_the_trunk_learns_at_its_share_of_the_rate_and_the_heads_stay(lesson: Lesson, tiny_teacher: Teacher) -> None:
    slow = stage_of(lesson, tiny_teacher, replace(ALL, trunk_rate=0.1))
    assert not any(parameter.requires_grad for parameter in slow.student.heads.parameters())
    groups = {group["lr"]: len(group["params"]) for group in slow.parameter_groups(1.0)}
    assert groups == {0.1: len(list(slow.student.trunk.parameters())), 1.0: 6}


def test_a_stage_in_which_the_trunk_would_not_learn_is_refused(lesson: Lesson, tiny_teacher: Teacher) -> None:
    with pytest.raises(ValueError, match="trunk-rate"):
        stage_of(lesson, tiny_teacher, replace(ALL, trunk_rate=0.0))


def test_frozen_stages_take_no_gradient_and_the_later_ones_do(lesson: Lesson, tiny_teacher: Teacher) -> None:
    stage = stage_of(lesson, tiny_teacher, replace(ALL, frozen_stages=3))
    sum(stage(batch_of(stage)).values()).backward()
    learnt = {name for name, parameter in stage.student.trunk.named_parameters() if parameter.grad is not None}
    assert {int(name.split(".")[1]) for name in learnt} == {3, 4, 5, 6} and not any("stem" in name for name in learnt)


def test_the_projection_starts_where_the_students_features_tell_the_teachers_embedding(
    lesson: Lesson, tiny_teacher: Teacher
) -> None:
    embedding = torch.nn.functional.normalize(1 + 0.1 * lesson.features[:, :32], dim=1)
    stage = stage_of(replace(lesson, embedding=embedding, held_out=np.zeros(8, dtype=bool)), tiny_teacher, ALL)
    error = (torch.nn.functional.normalize(stage.projection(lesson.features), dim=1) - embedding).square().mean()
    assert error < 0.05 * (embedding - embedding.mean(0)).square().mean()


def test_the_teachers_features_are_learnt_as_components_and_a_lesson_without_them_is_refused(
    lesson: Lesson, tiny_teacher: Teacher
) -> None:
    known = torch.cat([lesson.features[:, :3] * 2 + 1, torch.zeros(8, 2)], dim=1)
    stage = stage_of(replace(lesson, teacher_features=known, held_out=np.zeros(8, dtype=bool)), tiny_teacher, ALL)
    batch = stage.load([4, 5, 6, 7], seed=0)
    assert batch["components"].shape[0] == 4 and stage(batch)["features"] < 0.5
    assert stage.component_weights.mean().item() == pytest.approx(1)
    with pytest.raises(ValueError, match="no teacher's features"):
        stage_of(replace(lesson, teacher_features=None), tiny_teacher, ALL)
    stage_of(replace(lesson, teacher_features=None), tiny_teacher, replace(ALL, features=0.0))


def test_windows_are_parts_of_the_views_and_drawn_from_the_steps_seed(lesson: Lesson, tiny_teacher: Teacher) -> None:
    stage = stage_of(lesson, tiny_teacher, replace(ALL, window=32))
    first, again, other = (stage.load([0, 1, 2, 4], seed=seed)["views"] for seed in (0, 0, 1))
    assert first.shape == (4, 2, 3, 32, 32) and torch.equal(first, again) and not torch.equal(first, other)
    assert all(loss.isfinite() for loss in stage(batch_of(stage)).values())
    with pytest.raises(ValueError, match="multiple of 32"):
        stage_of(lesson, tiny_teacher, replace(ALL, window=48))


def test_a_privileged_teachers_scores_fall_along_the_ladder_and_leave_scored_photos_alone(
    lesson: Lesson, tiny_teacher: Teacher
) -> None:
    seen = stage_of(lesson, tiny_teacher, replace(ALL, privileged=False))._score
    known = stage_of(lesson, tiny_teacher, ALL)._score
    assert (seen[5:].diff() > 0).any() and (known[5:].diff() <= 0).all()
    assert torch.equal(seen[:4], known[:4])


def test_held_out_photos_teach_nothing_and_are_validated(lesson: Lesson, tiny_teacher: Teacher) -> None:
    stage = stage_of(lesson, tiny_teacher, ALL)
    assert stage.groups() == [[0, 1, 2], [4, 5]]
    assert set(stage.validate()) == {"srcc teacher"}


def test_a_few_steps_bring_the_student_nearer_to_the_teacher_and_order_clean_before_degraded(
    lesson: Lesson, tiny_teacher: Teacher
) -> None:
    target = torch.tensor([0.9, 0.1]).repeat(4)
    # The lesson's teacher features are noise, which says nothing about the score.
    config = replace(ALL, embedding=100.0, features=0.0, keep_features=0.0, privileged=False)
    stage = stage_of(lesson, tiny_teacher, config)
    stage._score = target  # the teacher prefers every clean or mild photo
    batch = stage.load([4, 7], seed=0)
    optimizer = torch.optim.AdamW(stage.parameter_groups(3e-3))
    before = stage(batch)
    for _ in range(15):
        optimizer.zero_grad()
        sum(stage(batch).values()).backward()
        optimizer.step()
    after = stage(batch)
    assert after["embedding"] < before["embedding"] and after["score"] < before["score"]
    with torch.no_grad():
        clean, blurred = (stage.student(torch.from_numpy(lesson.views(row)))[0][0, 0] for row in (4, 7))
    assert clean > blurred
