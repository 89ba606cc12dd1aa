"""Photos: dealt out the same every time, half degraded, too few or noise refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from distill.data.mos_sets import MosSetError, split_by_hash
from distill.networks.student import INPUT_SPEC
from quantize.calibration import (
    CalibrationError,
    clean,
    degraded_copies,
    degraded_half,
    digest,
    load_inputs,
    neighbour_correlation,
    opinions_of,
    photos_below,
    split_photos,
    stratified,
    validated_by,
)


@pytest.fixture
def folder(tmp_path: Path, photos: dict[str, np.ndarray]) -> Path:
    for number in range(40):
        photo = list(photos.values())[number % len(photos)]
        Image.fromarray(photo[number : number + 64, :64]).save(tmp_path / f"{number:02}.png")
    return tmp_path


def test_a_folder_without_photos_is_named(tmp_path: Path, folder: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(CalibrationError, match=f"no photo below {empty}"):
        photos_below(empty)
    with pytest.raises(CalibrationError, match=r"NOPE does not exist; --images takes a folder of photos"):
        photos_below(tmp_path / "NOPE")
    with pytest.raises(CalibrationError, match=r"00\.png is a file; --images takes a folder of photos"):
        photos_below(folder / "00.png")


def test_the_two_uses_share_no_photo(folder: Path) -> None:
    split = split_photos(photos_below(folder), tuning=30, validation=10, seed=0)
    assert len({*split.tuning, *split.validation}) == len(split.tuning) + len(split.validation) > 30


def test_validation_is_a_part_of_what_the_students_training_left_out(folder: Path) -> None:
    many = [folder / f"{number}.jpg" for number in range(2000)]
    split = split_photos(many, tuning=500, validation=100, seed=0)
    held_out = {path for path, out in zip(many, split_by_hash(many, 0.1)) if out}
    assert len(split.validation) == 100 and set(split.validation) <= held_out
    assert not held_out & set(split.tuning)


def test_the_same_seed_deals_and_degrades_the_same_photos(folder: Path) -> None:
    first, second, third = (
        degraded_half(split_photos(photos_below(folder), 30, 10, seed).tuning, seed) for seed in (0, 0, 1)
    )
    assert first == second != third
    assert digest(first) == digest(second) != digest(third)


def test_each_second_photo_is_degraded_and_kinds_take_turns(folder: Path) -> None:
    rungs = degraded_half(photos_below(folder), seed=0)
    assert [rung.level > 0 for rung in rungs] == [bool(row % 2) for row in range(40)]
    copies = degraded_copies([Path(str(n)) for n in range(120)], seed=0)
    assert len({(rung.kind, rung.level) for rung in copies}) == 120


def test_fewer_than_sixteen_photos_are_refused(folder: Path) -> None:
    with pytest.raises(CalibrationError, match="at least 16"):
        split_photos(photos_below(folder)[:15], tuning=64, validation=100, seed=0)


def test_opinions_choose_the_photos(folder: Path) -> None:
    table = folder / "mos.csv"
    table.write_text("name,score\n03.png,0.5\n07.png,0.25\n")
    photos = photos_below(folder)
    assert opinions_of(photos, table) == {folder / "03.png": 0.5, folder / "07.png": 0.25}
    table.write_bytes("Image Name;MOS\r\n07.png;2,5\r\n".encode("utf-16"))
    assert opinions_of(photos, table) == {folder / "07.png": 2.5}
    table.write_text("another.png,0.5")
    with pytest.raises(CalibrationError, match="none of the 40 photos is in the table"):
        opinions_of(photos, table)
    table.write_text("no numbers here\n")
    with pytest.raises(MosSetError, match=r"photo\.jpg,0\.61"):
        opinions_of(photos, table)


def test_opinions_that_differ_nowhere_cannot_validate() -> None:
    assert validated_by([0.5, 0.25]).tolist() == [0.5, 0.25]
    for opinions, said in (([], "no photo"), ([0.5], "one photo"), ([0.5] * 2, "2 photos that all have the score 0.5")):
        with pytest.raises(CalibrationError, match=f"--mos leaves {said} to validate by"):
            validated_by(opinions)


def test_photographs_load_as_the_networks_input_and_copies_differ(folder: Path) -> None:
    photos = sorted(folder.iterdir())[:3]
    inputs = load_inputs(clean(photos) + degraded_copies(photos, 0), INPUT_SPEC)
    assert {tuple(views.shape) for views in inputs} == {INPUT_SPEC.shape}
    assert all((inputs[row] != inputs[row + 3]).any() for row in range(3))


def test_noise_is_refused_with_the_reason(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    with pytest.raises(CalibrationError, match="looks like noise"):
        load_inputs(clean([tmp_path / "noise.png"]), INPUT_SPEC)


def test_an_unreadable_photo_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"not a photo")
    with pytest.raises(CalibrationError, match=r"broken\.jpg cannot calibrate"):
        load_inputs(clean([tmp_path / "broken.jpg"]), INPUT_SPEC)


def test_a_flat_picture_is_no_noise() -> None:
    assert neighbour_correlation(np.full((8, 8), 7, dtype=np.uint8)) == 1


def test_calibration_photos_spread_from_the_worst_to_the_best() -> None:
    scores = np.random.default_rng(0).permutation(100) / 100
    chosen = scores[stratified(scores, 5)]
    assert chosen[0] == 0 and chosen[-1] == 0.99 and np.allclose(np.diff(chosen), 0.25, atol=0.02)
