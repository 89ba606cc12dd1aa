"""What a gate refuses of good and bad photos beside single thresholds, and the default gate's command."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image, ImageFilter
from pocketiqa.gate import Gate, Threshold

from benchmarks.__main__ import main
from benchmarks.gate import (
    Refusals,
    laplacian_variances,
    metrics_in,
    read_metric,
    refusals_of_gate,
    refusals_of_metric,
    table,
)
from distill.data.mos_sets import MosSet, MosSetError


def metric_of(good: int, bad: int) -> tuple[np.ndarray, np.ndarray]:
    """A metric in hundreds that is higher for good photos."""
    is_good = np.arange(good + bad) < good
    return 100 * np.random.default_rng(0).normal(np.where(is_good, 3.0, 0.0)), is_good


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1), st.floats(0, 0.99))
def test_a_single_threshold_refuses_no_more_good_photos_than_it_may(rows: list, share: float) -> None:
    metric, is_good = np.array([value for value, _ in rows], dtype=float), np.array([good for _, good in rows])
    assume(is_good.any())
    found = refusals_of_metric("m", metric, is_good, share)
    assert found.good_refused <= share * found.good and found.good + found.bad == len(rows)
    better = [
        metric < threshold for threshold in range(11) if (metric[is_good] < threshold).sum() <= share * found.good
    ]
    assert found.bad_refused == max(refused[~is_good].sum() for refused in better)


def test_a_threshold_depends_on_the_order_of_a_metric_alone() -> None:
    metric, is_good = metric_of(400, 200)
    one, other = (refusals_of_metric("m", each, is_good, 0.05) for each in (metric, metric**3))
    assert one.bad_refused == other.bad_refused > 150 and one.good_refused == other.good_refused == 20


def test_a_gates_refusals_are_counted_among_good_and_bad_photos() -> None:
    gate = Gate((Threshold("score", 0.5, "poor"),))
    values, is_good = np.array([[0.4], [0.6], [0.4], [0.45]]), np.array([True, True, False, False])
    row = refusals_of_gate("the gate", gate, values, is_good, ("score",))
    assert row == Refusals("the gate", "score 0.500", 2, 1, 2, 2)
    assert "1 of 2: 50.00% (1.26% to 98.74%)" in table([row]) and "2 of 2: 100.00%" in table([row])


def test_a_blurred_photo_has_the_smaller_laplacian_variance(tmp_path: Path, photos: dict[str, np.ndarray]) -> None:
    image = Image.fromarray(photos["coffee"])
    image.save(tmp_path / "sharp.png")
    image.filter(ImageFilter.GaussianBlur(3)).save(tmp_path / "blurred.png")
    paths = [tmp_path / "sharp.png", tmp_path / "blurred.png"]
    sharp, blurred = laplacian_variances(MosSet("own", paths, np.ones(2), np.array(["", ""])))
    assert sharp > 10 * blurred


def test_other_metrics_come_from_a_table_by_the_photos_names(tmp_path: Path) -> None:
    (tmp_path / "others.csv").write_text("name,a,b\ny.jpg,1,2\nx.jpg,3,4\n")
    photos = MosSet("own", [tmp_path / "x.jpg", tmp_path / "y.jpg"], np.ones(2), np.array(["", ""]))
    assert metrics_in(tmp_path / "others.csv") == ["a", "b"]
    assert read_metric(tmp_path / "others.csv", "b", photos).tolist() == [4, 2]
    more = MosSet("own", [tmp_path / "z.jpg"], np.ones(1), np.array([""]))
    assert np.isnan(read_metric(tmp_path / "others.csv", "b", more)).all()
    (tmp_path / "others.csv").write_text("name,a\nx.jpg,much\n")
    with pytest.raises(MosSetError, match="give numbers"):
        read_metric(tmp_path / "others.csv", "a", photos)
    with pytest.raises(MosSetError, match="no table"):
        metrics_in(tmp_path / "nowhere.csv")
    (tmp_path / "others.csv").write_text("a,b\n")
    with pytest.raises(MosSetError, match="the column name"):
        metrics_in(tmp_path / "others.csv")


def test_photos_without_the_metric_are_left_out() -> None:
    metric, is_good = metric_of(400, 200)
    metric[::2] = np.nan
    found = refusals_of_metric("m", metric, is_good, 0.05)
    assert (found.good, found.good_refused, found.bad) == (200, 10, 100)


def test_too_few_photos_of_a_set_end_the_command_in_one_line(
    tmp_path: Path, photos: dict[str, np.ndarray], tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:  # fmt: skip
    (tmp_path / "scores.csv").write_text(
        "name,score\n" + "".join(f"{number}.png,0.{number}\n" for number in range(1, 9))
    )
    for number in range(1, 9):
        Image.fromarray(photos["coffee"]).save(tmp_path / f"{number}.png")
    call = ["--mos-set", "own", "--mos-folder", str(tmp_path), "--bundle", str(tiny_bundle)]
    monkeypatch.setattr(sys, "argv", ["benchmarks", "gate", *call, "--fit", str(tmp_path / "gate.json")])
    assert main() == 2
    assert "accepted photos" in capsys.readouterr().err and not (tmp_path / "gate.json").exists()
