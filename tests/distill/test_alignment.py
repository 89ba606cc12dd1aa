"""Stage A on tiny towers and real photographs: every term has an effect and can be switched off."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from distill.stages.alignment import AlignmentConfig, AlignmentStage
from distill.teacher.teacher import Teacher

ALL = AlignmentConfig(crop=64, levels=3, attributes=1.0, symmetric=1.0, margin_consistency=0, margin_ranking=0.1)


@pytest.fixture
def files(tmp_path: Path, photos: dict[str, np.ndarray]) -> list[Path]:
    for name in ("coffee", "chelsea"):
        Image.fromarray(photos[name][:100, :140]).save(tmp_path / f"{name}.png")
    Image.fromarray(photos["rocket"][:40, :50]).save(tmp_path / "small.png")
    return sorted(tmp_path.iterdir())


def test_a_batch_is_the_clean_crops_and_rising_levels_the_same_for_the_same_seed(
    tiny_teacher: Teacher, files: list[Path]
) -> None:
    stage = AlignmentStage(tiny_teacher, files, ALL)
    batch = stage.load([0, 1, 2], seed=5)
    assert batch["images"].shape == (3, 1 + 3, 2, 3, 64, 64)
    distance = (batch["images"][:, 1:] - batch["images"][:, :1]).square().mean((2, 3, 4, 5))
    assert (distance[:, -1] > distance[:, 0]).all()
    assert torch.equal(stage.load([0, 1, 2], seed=5)["images"], batch["images"])
    assert not torch.equal(stage.load([0, 1, 2], seed=6)["images"], batch["images"])


@pytest.mark.parametrize("term", ["consistency", "positive", "negative", "attributes", "symmetric"])
def test_every_term_reaches_the_image_tower_and_vanishes_at_weight_zero(
    tiny_teacher: Teacher, files: list[Path], term: str
) -> None:
    stage = AlignmentStage(tiny_teacher, files, ALL)
    batch = next(batch for seed in range(50) if (batch := stage.load([0, 1], seed))["attribute"].min() >= 0)
    stage(batch)[term].backward()
    gradients = [parameter.grad for parameter in tiny_teacher.visual.parameters() if parameter.grad is not None]
    assert sum(gradient.norm() for gradient in gradients) > 0
    off = AlignmentStage(tiny_teacher, files, replace(ALL, **{term: 0.0}))
    assert off(batch).get(term, torch.zeros(())) == 0


def test_only_the_image_tower_learns(tiny_teacher: Teacher, files: list[Path]) -> None:
    stage = AlignmentStage(tiny_teacher, files, ALL)
    learnt = [name for name, parameter in stage.named_parameters() if parameter.requires_grad]
    assert learnt and all(name.startswith("teacher.towers.visual.") for name in learnt)
