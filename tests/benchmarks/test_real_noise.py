"""Pairs of real noise: each clean photo meets its own noisy one, and a camera's row counts its own pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pocketiqa import Scorer
from pocketiqa.errors import PhotoError

from benchmarks.experiments.real_noise import BY, better, pairs, table


@pytest.fixture
def folder(photos: dict[str, np.ndarray], tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for name in ("Sony_b", "Canon_a", "Sony_a"):
        clean = photos["coffee"][:400, :400]
        noisy = np.clip(clean + random.normal(0, 25, clean.shape), 0, 255).astype(np.uint8)
        for kind, pixels in (("mean", clean), ("real", noisy)):
            Image.fromarray(pixels).save(tmp_path / f"{name}_{kind}.JPG", quality=95)
    return tmp_path


def test_a_clean_photo_meets_its_noisy_one_and_stands_higher(folder: Path) -> None:
    found = pairs(folder)
    assert [clean.name for clean, _ in found] == ["Canon_a_mean.JPG", "Sony_a_mean.JPG", "Sony_b_mean.JPG"]
    assert all(noisy.name == clean.name.replace("mean", "real") for clean, noisy in found)
    scorer = Scorer()
    assert better(*found[0], scorer) == (True, True, True)
    assert better(*reversed(found[0]), scorer) == (False, False, False)


def test_a_row_counts_its_cameras_pairs() -> None:
    printed = table({"A_1": (True, True, False), "A_2": (False, True, False), "B_1": (True, True, True)})
    cells = [[cell.split() for cell in line.split("|")[1:-1]] for line in printed.splitlines()]
    rows = {own[0][0]: own[1:] for own in cells}
    assert [cell[0] for cell in rows["A"]] == ["2", "0.50", "1.00", "0.00"]
    assert [cell[0] for cell in rows["B"]] == ["1", "1.00", "1.00", "1.00"]
    assert [cell[0] for cell in rows["all"]] == ["3", "0.67", "1.00", "0.33"]
    assert all(f"by {name}" in printed for name in BY)


def test_a_folder_without_pairs_and_a_photo_without_its_pair_are_refused_in_words(folder: Path) -> None:
    with pytest.raises(PhotoError, match=r"has no photo …_mean\.JPG"):
        pairs(folder / "none")
    (folder / "Sony_b_real.JPG").unlink()
    with pytest.raises(PhotoError, match=r"Sony_b_mean\.JPG has no Sony_b_real\.JPG beside it"):
        pairs(folder)
