"""The parts of a score add up to its logit, and each is what it says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pocketiqa.preprocess import preprocess

from distill.networks.score_parts import score_parts
from distill.networks.student import HIDDEN_UNITS, INPUT_SPEC, SHIPPED_STUDENT, STAGE_CHANNELS, Student, load_student
from distill.stages.explain_score import ExplainConfig, explain_score


@pytest.fixture(scope="module")
def student() -> Student:
    return load_student(SHIPPED_STUDENT)


@pytest.fixture(scope="module")
def views(photos: dict[str, np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(preprocess(photos["coffee"], INPUT_SPEC))


def test_views_and_depths_add_up_to_the_logit_and_so_do_hidden_units(student: Student, views: torch.Tensor) -> None:
    with torch.no_grad():
        logit = float(torch.logit(student(views)[0][0, 0]))
    found = score_parts(student, views)
    assert found.parts.shape == (len(INPUT_SPEC.views), len(STAGE_CHANNELS)) and len(found.hidden) == HIDDEN_UNITS
    assert found.logit == pytest.approx(logit, abs=1e-4)
    assert float(found.parts.sum()) + found.constant == pytest.approx(logit, abs=1e-4)
    assert found.linear + float(found.hidden.sum()) == pytest.approx(logit, abs=1e-4)
    half = HIDDEN_UNITS // 2
    assert (found.hidden[:half] >= 0).all() and (found.hidden[half:] <= 0).all()


def test_a_part_is_its_own_channels_alone(student: Student, views: torch.Tensor) -> None:
    """Where no hidden unit fires: without a view's weights of a stage that part is nothing, and no other moves."""
    linear = Student(pretrained=False).eval()
    linear.load_state_dict(student.state_dict())
    with torch.no_grad():
        for head in linear.heads.local:
            head.weight[-HIDDEN_UNITS:] = 0
        linear.heads.early.weight[-HIDDEN_UNITS:] = 0
        linear.heads.early.bias[-HIDDEN_UNITS:] = 0
        before = score_parts(linear, views)
        assert not before.hidden.any()
        linear.heads.local[1].weight[:, : STAGE_CHANNELS[3]] = 0  # the fourth stage comes first among the local ones
        after = score_parts(linear, views)
    changed = before.parts.clone()
    changed[1, 3] = 0
    assert before.parts[1, 3] != 0 and torch.allclose(after.parts, changed)


def test_the_parts_are_json(student: Student, views: torch.Tensor) -> None:
    written = json.loads(json.dumps(score_parts(student, views).to_dict()))
    assert list(written["views"]) == list(INPUT_SPEC.views) and list(written["views"]["whole"]) == list("1234567")
    assert 0 <= written["score"] <= 1


def test_the_command_explains_a_photo_by_the_student_that_is_named(
    student: Student, photos: dict[str, np.ndarray], tmp_path: Path
) -> None:
    Image.fromarray(photos["coffee"]).save(tmp_path / "coffee.png")
    expected = score_parts(student, torch.from_numpy(preprocess(photos["coffee"], INPUT_SPEC)))
    assert explain_score(ExplainConfig(tmp_path / "coffee.png")) == expected.to_dict()
    with pytest.raises(FileNotFoundError, match="no student at"):
        explain_score(ExplainConfig(tmp_path / "coffee.png", weights=tmp_path / "nowhere.safetensors"))
