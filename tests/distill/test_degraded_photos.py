"""Degradation ladders of pristine photos."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from distill.data.degraded_photos import (
    CLEAN,
    DegradedPhoto,
    attribute_targets,
    pristine_photos,
    reduced,
    render,
    severity_ladders,
)
from distill.data.mos_sets import MosSetError
from distill.degradations.degrade import DEGRADATIONS, KINDS
from distill.networks.student import ATTRIBUTES, INPUT_SPEC


@pytest.fixture
def folder(tmp_path: Path, photos: dict[str, np.ndarray]) -> Path:
    for name in ("coffee", "chelsea"):
        Image.fromarray(photos[name]).save(tmp_path / f"{name}.png")
    (tmp_path / "notes.txt").write_text("no photo")
    return tmp_path


def test_every_photo_gets_its_clean_rung_and_whole_ladders(folder: Path) -> None:
    copies = severity_ladders(pristine_photos([folder]), kinds_per_photo=3, seed=0)
    assert len(copies) == 2 * (1 + 3 * 5)
    assert Counter(copy.level for copy in copies)[5] == 6


def test_every_kind_comes_equally_often() -> None:
    copies = severity_ladders([Path(f"{number}.png") for number in range(24)], kinds_per_photo=2, seed=0)
    counts = Counter(copy.kind for copy in copies if copy.level == 1)
    assert set(counts) == set(KINDS) and set(counts.values()) == {2}


def test_a_rung_renders_to_the_students_input_and_a_harder_one_lies_farther_from_the_clean(folder: Path) -> None:
    clean, mild, hard = (
        render(DegradedPhoto(folder / "coffee.png", kind, level, 0), INPUT_SPEC)
        for kind, level in ((CLEAN, 0), ("white_noise", 1), ("white_noise", 5))
    )
    assert clean.shape == INPUT_SPEC.shape
    assert 0 < np.square(mild - clean).mean() < np.square(hard - clean).mean()


def test_a_photo_too_narrow_to_be_degraded_is_named_by_what_checks_it_before_training(tmp_path: Path) -> None:
    Image.new("RGB", (2000, 100)).save(tmp_path / "strip.png")
    with pytest.raises(MosSetError, match=r"strip\.png: 512×26 pixels .* needs 32"):
        reduced(tmp_path / "strip.png")


def test_a_rung_lowers_the_attribute_that_its_kind_harms_and_no_other() -> None:
    copies = [DegradedPhoto(Path("x"), kind, level, 0) for kind in KINDS for level in (1, 5)] + [
        DegradedPhoto(Path("x"), CLEAN, 0, 0)
    ]
    for copy, row in zip(copies, attribute_targets(copies, ATTRIBUTES)):
        harmed = None if copy.kind == CLEAN else DEGRADATIONS[copy.kind].attribute
        if copy.kind != CLEAN and harmed is None:
            assert np.isnan(row).all()
        else:
            expected = {name: 1 - copy.level / 5 if name == harmed else 1 for name in ATTRIBUTES}
            assert dict(zip(ATTRIBUTES, row)) == pytest.approx(expected)


def test_a_folder_without_photos_says_what_it_should_hold(tmp_path: Path) -> None:
    with pytest.raises(MosSetError, match="BSDS500"):
        pristine_photos([tmp_path])
