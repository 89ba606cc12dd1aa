"""Stage B on tiny towers: sources stay apart, held-out photos stay out, every term has an effect."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from distill.data.mos_sets import MosSet
from distill.stages.opinions import OpinionConfig, OpinionStage
from distill.teacher.teacher import Teacher


@pytest.fixture
def stage(tmp_path: Path, photos: dict[str, np.ndarray], tiny_teacher: Teacher) -> OpinionStage:
    paths = []
    for number in range(60):
        paths.append(tmp_path / f"{number}.jpg")
        Image.fromarray(photos["coffee"][number : number + 64, :64]).save(paths[-1], quality=2 + number)
    sources = np.array(["a", "b"] * 20)
    first = MosSet("first", paths[:40], np.linspace(0, 1, 40), sources)
    second = MosSet("second", paths[40:], np.linspace(1, 0, 20), np.array(["a"] * 20))
    return OpinionStage(tiny_teacher, [first, second], OpinionConfig(height=64, width=64))


def test_sources_of_different_sets_never_share_a_group_and_no_held_out_photo_is_trained_on(stage: OpinionStage) -> None:
    groups = [set(rows) for rows in stage.groups()]
    assert len(groups) == 3
    assert all(max(group) < 40 or min(group) >= 40 for group in groups)
    held_out = {row for rows in stage._held_out.values() for row in rows}
    assert held_out and not held_out & set.union(*groups)
    assert len(held_out) + sum(map(len, groups)) == 60


@pytest.mark.parametrize("term", ["fidelity", "mse", "plcc"])
def test_every_term_reaches_the_image_tower(stage: OpinionStage, term: str) -> None:
    stage(stage.load(stage.groups()[0][:4], seed=0))[term].backward()
    assert any(parameter.grad.norm() > 0 for parameter in stage.parameters() if parameter.grad is not None)


def test_half_of_the_photos_are_mirrored_and_the_seed_says_which(stage: OpinionStage) -> None:
    rows = stage.groups()[0]
    plain = torch.stack([stage._image(row) for row in rows])
    batch = stage.load(rows, seed=1)["images"]
    mirrored = [torch.equal(got, image.flip(-1)) for got, image in zip(batch, plain)]
    assert 0 < sum(mirrored) < len(rows)
    assert torch.equal(stage.load(rows, seed=1)["images"], batch)


def test_validation_gives_a_correlation_for_each_source_with_enough_photos(stage: OpinionStage) -> None:
    figures = stage.validate()
    assert figures and all(name.startswith("srcc ") and -1 <= value <= 1 for name, value in figures.items())
