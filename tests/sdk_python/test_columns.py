"""Scores as columns for ``datasets.map``: every form of an image, errors in their row, several processes."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pocketiqa.columns import ScoreColumns
from pocketiqa.errors import PhotoError
from pocketiqa.scorer import Scorer


def test_every_form_of_an_image_gets_the_same_scores(tiny_bundle: Path) -> None:
    path = tiny_bundle / "golden" / "coffee.png"
    forms = [
        Image.open(path), str(path), path.read_bytes(), {"bytes": path.read_bytes(), "path": None},
        {"bytes": None, "path": str(path)},
    ]  # fmt: skip
    columns = pickle.loads(pickle.dumps(ScoreColumns("photo", tiny_bundle)))({"photo": forms, "other": [0] * 5})
    result = Scorer(tiny_bundle)(path)
    assert columns["score"] == [result.score] * 5 and columns["error"] == [None] * 5
    assert {name: values[0] for name, values in columns.items() if name not in ("score", "error")} == result.attributes


def test_a_photo_that_cannot_be_scored_has_none_and_an_error(tiny_bundle: Path, photos: dict[str, np.ndarray]) -> None:
    columns = ScoreColumns(bundle=tiny_bundle)({"image": [b"no photo", photos["coffee"], None]})
    assert [score is None for score in columns["score"]] == [True, False, True]
    assert columns["noise"][0] is None and columns["noise"][1] is not None
    assert all(columns["error"][row] for row in (0, 2)) and columns["error"][1] is None


def test_a_column_that_is_not_there_is_named(tiny_bundle: Path) -> None:
    with pytest.raises(PhotoError, match="no column 'image'; it has picture: name one with image="):
        ScoreColumns(bundle=tiny_bundle)({"picture": []})


def test_datasets_maps_it_in_two_processes(tiny_bundle: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="it is not installed")
    path = str(tiny_bundle / "golden" / "coffee.png")
    rows = datasets.Dataset.from_dict({"image": [path] * 4}).cast_column("image", datasets.Image())
    scored = rows.map(ScoreColumns(bundle=tiny_bundle), batched=True, num_proc=2)
    assert scored["score"] == [Scorer(tiny_bundle)(path).score] * 4
