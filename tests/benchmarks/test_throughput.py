"""Photos a second: each number of workers has its row, and the bound is the slowest stage."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image
from pocketiqa import Result, Scorer
from pocketiqa.bundle import Bundle
from pocketiqa.errors import PhotoError

from benchmarks.statistics import Interval
from benchmarks.throughput import FORMATS, SIZES, Rate, make_photo, measure, table


@pytest.mark.parametrize("style", FORMATS)
def test_a_photo_is_made_in_each_format(tiny_bundle: Path, tmp_path: Path, style: str) -> None:
    with Image.open(make_photo(Bundle.open(tiny_bundle), tmp_path, "0.2 MP", style)) as photo:
        assert (photo.size, photo.format) == (SIZES["0.2 MP"], style)


def test_each_number_of_workers_has_a_row_in_which_the_figures_fit_together(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    photo = make_photo(bundle, tmp_path, "0.2 MP", "JPEG")
    rates = measure(bundle, "int8", photo, "small JPEG", workers=(1, 2), photos=3, rounds=3)
    assert [rate.workers for rate in rates] == [1, 2]
    for rate in rates:
        assert rate.rate.low <= rate.rate.value <= rate.rate.high
        assert rate.share.value == pytest.approx(rate.rate.value / rate.bound)
        assert rate.slowest in ("decode with preprocess", "inference")
    assert rates[0].gain.value / rates[1].gain.value == pytest.approx(rates[0].rate.value / rates[1].rate.value)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no system call for it")
def test_one_core_means_one_core_for_the_workers_too(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, seen = Bundle.open(tiny_bundle), []
    before = os.sched_getaffinity(0)

    def batch(scorer: Scorer, photos: list[Path], workers: int) -> list[Result]:
        with ThreadPoolExecutor(1) as pool:
            seen.append((workers, len(pool.submit(os.sched_getaffinity, 0).result())))
        return []

    monkeypatch.setattr(Scorer, "batch", batch)
    measure(bundle, "int8", make_photo(bundle, tmp_path, "0.2 MP", "JPEG"), "small", (2,), photos=1, rounds=2)
    assert set(seen) == {(1, 1), (2, len(before))} and os.sched_getaffinity(0) == before


def test_a_photo_that_cannot_be_scored_is_no_measurement(tiny_bundle: Path, tmp_path: Path) -> None:
    Image.new("RGB", (400, 8)).save(tmp_path / "flat.png")
    with pytest.raises(PhotoError, match="too small"):
        measure(Bundle.open(tiny_bundle), "int8", tmp_path / "flat.png", "flat", (1,), photos=1, rounds=2)


def test_a_row_of_the_table_names_what_sets_the_bound() -> None:
    one = Interval(1.0, 0.9, 1.25)
    header, _, row = table([Rate("12 MP JPEG", one, 2, one, one, 8.0, "inference", one)]).splitlines()
    assert "share of bound" in header
    assert row.split() == ["12", "MP", "JPEG", "1", "2", "1", "1.00", "[0.90,", "1.25]", "8", "inference", "1.00",
                           "[0.90,", "1.25]"]  # fmt: skip
