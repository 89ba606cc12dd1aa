"""Agreement with mean opinion scores: known figures on made scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.stats import kendalltau, pearsonr, spearmanr

from benchmarks.accuracy import agreement, logistic_plcc, measure_accuracy, table
from distill.mos_sets import MosSet

GENERATOR = np.random.default_rng(0)
MOS = GENERATOR.random(300)
NOISY = MOS + GENERATOR.normal(0, 0.2, 300)


def test_the_correlations_are_scipys() -> None:
    row = agreement("all", NOISY, MOS)
    assert row.srcc == pytest.approx(spearmanr(NOISY, MOS)[0])
    assert row.krcc == pytest.approx(kendalltau(NOISY, MOS)[0])
    assert row.plcc == pytest.approx(pearsonr(NOISY, MOS)[0])


def test_the_interval_holds_the_figure_and_narrows_with_more_photos() -> None:
    few, many = agreement("few", NOISY[:40], MOS[:40]), agreement("many", NOISY, MOS)
    for row in (few, many):
        assert row.srcc_interval[0] < row.srcc < row.srcc_interval[1]
    assert np.diff(many.srcc_interval) < np.diff(few.srcc_interval)


def test_a_logistic_relation_correlates_fully_after_the_fit_only() -> None:
    scores = np.linspace(-4, 4, 200)
    mos = 1 / (1 + np.exp(-3 * scores))
    assert logistic_plcc(scores, mos) > 0.999 > np.corrcoef(scores, mos)[0, 1]


def test_a_bundle_is_measured_pooled_and_within_each_source(
    tiny_bundle: Path, tmp_path: Path, photos: dict[str, np.ndarray]
) -> None:
    paths = []
    for number in range(12):
        photo = list(photos.values())[number % 6]
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(photo[number * 5 : number * 5 + 100, :120]).save(paths[-1])
    mos_set = MosSet("made", paths, np.linspace(0, 1, 12), np.array(["a", "b"] * 6))
    rows = measure_accuracy(mos_set, tiny_bundle, "int8")
    assert [(row.group, row.n) for row in rows] == [("pooled", 12), ("a", 6), ("b", 6)]
    assert table(rows).count("\n") == 4
