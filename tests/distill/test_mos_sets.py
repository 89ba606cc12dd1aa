"""Reading MOS sets: official splits, missing photos, clear errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from distill.data.mos_sets import MosSetError, read_biq2021, split_by_hash


@pytest.fixture
def biq2021(tmp_path: Path) -> Path:
    (tmp_path / "Images").mkdir()
    for name in ("ss01 (1).jpg", "ss02 (1).jpg", "ss03 (1).jpg"):
        Image.new("RGB", (8, 8)).save(tmp_path / "Images" / name)
    rows = ["Image Name,MOS,,", "ss01 (1).jpg,0.25,,", "ss02 (1).jpg,0.5,,", "ss03 (1).jpg,0.75,,"]
    rows.append("ss02 (9).jpg,0.1,,")
    (tmp_path / "Train (Images and MOS).csv").write_text("\n".join(rows))
    return tmp_path


def test_photos_come_with_their_scores_and_sources_and_a_row_without_a_photo_is_left_out(biq2021: Path) -> None:
    mos_set = read_biq2021(biq2021)
    assert [path.name for path in mos_set.paths] == ["ss01 (1).jpg", "ss02 (1).jpg", "ss03 (1).jpg"]
    assert mos_set.mos.tolist() == [0.25, 0.5, 0.75]
    assert mos_set.sources.tolist() == ["ss01", "ss02", "ss03"]


def test_the_digest_follows_the_scores_and_not_the_order(biq2021: Path) -> None:
    mos_set = read_biq2021(biq2021)
    assert mos_set.take(np.array([2, 0, 1])).digest() == mos_set.digest()
    assert mos_set.take(np.array([0, 1])).digest() != mos_set.digest()


def test_a_missing_set_says_what_to_download(tmp_path: Path) -> None:
    with pytest.raises(MosSetError, match="nisarahmedrana/BIQ2021"):
        read_biq2021(tmp_path)


def test_a_broken_row_is_named_by_its_line(biq2021: Path) -> None:
    (biq2021 / "Train (Images and MOS).csv").write_text("Image Name,MOS\nss01 (1).jpg,good")
    with pytest.raises(MosSetError, match="line 2"):
        read_biq2021(biq2021)


def test_an_unknown_split_is_refused(biq2021: Path) -> None:
    with pytest.raises(ValueError, match="train and test"):
        read_biq2021(biq2021, "validation")


def test_a_photo_stays_on_its_side_of_the_split_whatever_else_is_there() -> None:
    paths = [Path(f"photo {number}.jpg") for number in range(2000)]
    held_out = split_by_hash(paths, 0.1)
    assert 0.07 < held_out.mean() < 0.13
    assert split_by_hash(paths[::-1], 0.1).tolist() == held_out[::-1].tolist()
