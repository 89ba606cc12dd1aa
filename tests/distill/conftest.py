"""Tiny towers, and a teacher over them."""

from __future__ import annotations

import pytest
from tiny_towers import tiny_towers

from distill.teacher.teacher import Teacher, TeacherConfig
from distill.teacher.two_towers import TwoTowers


@pytest.fixture
def tiny_resnet() -> TwoTowers:
    return tiny_towers("resnet")


@pytest.fixture
def tiny_vit() -> TwoTowers:
    return tiny_towers("vit")


@pytest.fixture
def tiny_teacher(tiny_resnet: TwoTowers) -> Teacher:
    return Teacher(tiny_resnet, TeacherConfig("tiny")).eval()
