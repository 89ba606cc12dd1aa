"""The score as a torch metric: the scorer's own scores of tensors and paths, and their mean."""

from __future__ import annotations

import copy
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
from pocketiqa.errors import BundleError, PhotoError
from pocketiqa.scorer import Scorer

torch = pytest.importorskip("torch")

from pocketiqa.torch import PhotoQuality  # noqa: E402


@pytest.fixture(scope="module")
def quality(tiny_bundle: Path) -> PhotoQuality:
    return PhotoQuality(tiny_bundle)


@pytest.fixture(scope="module")
def images(photos: dict[str, np.ndarray]) -> np.ndarray:
    """uint8 N×H×W×3."""
    return np.stack([photo[:256, :256] for photo in photos.values()])


def as_tensor(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


def test_a_batch_gets_the_scores_that_its_photos_get(
    quality: PhotoQuality, images: np.ndarray, tiny_bundle: Path
) -> None:
    expected = torch.tensor([result.score for result in Scorer(tiny_bundle).batch(images)])
    for batch in (as_tensor(images), as_tensor(images).double(), torch.from_numpy(images).permute(0, 3, 1, 2)):
        found = quality(batch)
        assert found.dtype == torch.float32 and torch.equal(found, expected)
    assert torch.equal(quality(as_tensor(images)[0]), expected[:1])
    assert not quality(as_tensor(images).requires_grad_()).requires_grad


def test_paths_are_scored_as_pyiqas_metrics_do(quality: PhotoQuality, tiny_bundle: Path) -> None:
    paths = sorted((tiny_bundle / "golden").iterdir())
    expected = [result.score for result in Scorer(tiny_bundle).batch(paths)]
    assert quality(paths).tolist() == quality([str(path) for path in paths]).tolist() == pytest.approx(expected)
    assert quality(str(paths[0])).tolist() == pytest.approx(expected[:1])
    assert (quality.lower_better, quality.higher_is_better, quality.score_range) == (False, True, "0, 1")


def test_the_mean_is_over_all_updates_since_the_last_reset(quality: PhotoQuality, images: np.ndarray) -> None:
    quality.reset()
    assert math.isnan(quality.compute())
    quality.update(as_tensor(images[:1]))
    quality.update(as_tensor(images[1:]))
    assert quality.compute() == pytest.approx(float(quality(as_tensor(images)).mean()), abs=1e-6)
    quality.reset()
    assert math.isnan(quality.compute())


def test_an_attribute_may_stand_for_the_score(images: np.ndarray, tiny_bundle: Path) -> None:
    expected = [result.attributes["noise"] for result in Scorer(tiny_bundle).batch(images)]
    assert PhotoQuality(tiny_bundle, output="noise")(as_tensor(images)).tolist() == pytest.approx(expected)
    with pytest.raises(BundleError, match="no output 'beauty'; the bundle gives score, sharpness"):
        PhotoQuality(tiny_bundle, output="beauty")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (torch.zeros(2, 1, 64, 64), r"shape \(2, 1, 64, 64\)"),
        (torch.zeros(64, 64), "shape"),
        (torch.full((1, 3, 64, 64), 200.0), "values from 200 to 200"),
        (torch.full((1, 3, 64, 64), math.nan), "values from nan"),
        (torch.zeros(1, 3, 64, 64, dtype=torch.int64), r"torch\.int64"),
    ],
)
def test_what_is_no_batch_of_images_is_refused_in_words(quality: PhotoQuality, wrong: torch.Tensor, said: str) -> None:
    with pytest.raises(PhotoError, match=said):
        quality(wrong)


def test_the_metric_can_be_copied_and_pickled(quality: PhotoQuality, images: np.ndarray) -> None:
    expected = quality(as_tensor(images[:1]))
    for twin in (copy.deepcopy(quality), pickle.loads(pickle.dumps(quality))):
        assert torch.equal(twin(as_tensor(images[:1])), expected)
