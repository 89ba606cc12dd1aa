"""The bundle inside the package: small, sound, and enough to score a photo with nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from pocketiqa import Bundle, Scorer
from pocketiqa.bundle import DEFAULT_BUNDLE
from pocketiqa.cli import main
from pocketiqa.files import files_under

pytestmark = pytest.mark.skipif(not DEFAULT_BUNDLE.is_dir(), reason="this checkout carries no default bundle")


def test_it_is_under_5_megabytes_and_lists_all_its_files() -> None:
    files = files_under(DEFAULT_BUNDLE)
    assert sum(path.stat().st_size for path in files.values()) < 5_000_000
    assert set(files) - {"manifest.json"} <= set(Bundle.open().manifest.files)


def test_it_verifies(capsys: pytest.CaptureFixture) -> None:
    assert main(["verify", str(DEFAULT_BUNDLE)]) == 0, capsys.readouterr().out


def test_it_scores_a_sharp_photo_above_its_blurred_copy(photos: dict[str, np.ndarray]) -> None:
    from PIL import Image, ImageFilter

    scorer = Scorer()
    for photo in photos.values():
        blurred = Image.fromarray(photo).filter(ImageFilter.GaussianBlur(5))
        assert scorer(photo).score > scorer(blurred).score
