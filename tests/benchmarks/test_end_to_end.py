"""From a file to a score: every step is timed, and the photo is one of a phone's size."""

from pathlib import Path

import pytest
from PIL import Image
from pocketiqa.bundle import Bundle

from benchmarks.end_to_end import STEPS, measure, twelve_megapixels


@pytest.mark.slow
def test_the_steps_add_up_to_the_total(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    twelve_megapixels(bundle, tmp_path / "photo.jpg")
    with Image.open(tmp_path / "photo.jpg") as photo:
        assert photo.size == (4032, 3024)
    result = measure(bundle, "int8", 1, tmp_path / "photo.jpg", runs=3, warmups=1)
    assert tuple(result.steps) == STEPS
    assert sum(step.value for step in result.steps.values()) == pytest.approx(result.total.value, rel=0.3)
    assert result.batch_photos_per_second > 0
    assert "decode" in str(result)
    prepared = result.steps["decode"].value + result.steps["preprocess"].value
    assert list(result.whole) == ["open_photo", "Pillow", "simplejpeg"]
    for decoder in result.whole:
        assert result.prepared[decoder].value == pytest.approx(prepared / result.whole[decoder].value, rel=0.5)
        assert result.prepared[decoder].value < result.all[decoder].value
        assert f"{decoder} decodes the whole picture in " in str(result)


def test_a_photo_that_is_no_jpeg_is_decoded_by_pillow_alone(tiny_bundle: Path) -> None:
    result = measure(Bundle.open(tiny_bundle), "int8", 1, tiny_bundle / "golden" / "coffee.png", runs=2, warmups=0)
    assert list(result.whole) == ["open_photo", "Pillow"] and result.n == 2
