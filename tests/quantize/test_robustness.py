"""Photos unlike any training set's, and the tables of the page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from pocketiqa.preprocess import PreprocessSpec

from quantize.experiments.robustness import by_label, by_quantile, extreme_photos, markdown


def test_extremes_are_flat_dark_bright_and_long(tmp_path: Path, photos: dict[str, np.ndarray]) -> None:
    Image.fromarray(photos["coffee"]).save(tmp_path / "coffee.png")
    extremes = extreme_photos([tmp_path / "coffee.png"], PreprocessSpec(64, 64))
    means = {label: extremes.inputs[row].mean().item() for row, label in enumerate(extremes.labels)}
    assert means["very dark"] < 0.1 and means["very bright"] > 0.9 and "strip of 8:1" in means
    assert extremes.inputs[0].std() == 0


def test_every_photo_falls_into_one_row_of_a_table() -> None:
    reference = np.random.default_rng(0).random(50)
    quantiles = by_quantile(reference, reference, reference + 0.01, 10)
    labels = by_label(["a", "b"] * 25, reference, reference)
    assert [figures.n for _, figures in quantiles] == [5] * 10
    assert [(name, figures.n) for name, figures in labels] == [("a", 25), ("b", 25)]
    assert markdown([("By a", labels)]).count("|  25 |") == 2
