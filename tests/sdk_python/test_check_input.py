"""An app's own tensor against the spec: a right one passes, and a wrong one is told by its kind."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops
from pocketiqa.bundle import DEFAULT_BUNDLE, Bundle
from pocketiqa.check_input import InputCheck, check_input, read_tensor
from pocketiqa.cli import main
from pocketiqa.errors import BundleError
from pocketiqa.preprocess import preprocess

WALL = Path(__file__).parents[2] / "mobile_export" / "golden" / "inputs" / "wall.jpg"
pytestmark = pytest.mark.skipif(not DEFAULT_BUNDLE.is_dir(), reason="this checkout carries no default bundle")


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle.open()


@pytest.fixture(scope="module")
def right(bundle: Bundle) -> np.ndarray:
    return preprocess(WALL, bundle.manifest.input)


@pytest.fixture(scope="module")
def golden(bundle: Bundle) -> np.ndarray:
    return preprocess(bundle.root / "golden/coffee-noisy.jpg", bundle.manifest.input)


def resized(bundle: Bundle, how: Callable[[Image.Image, tuple[int, int]], Image.Image]) -> np.ndarray:
    """The wall's ``whole`` view made in another way, and the right ``detail``."""
    spec = bundle.manifest.input
    tensor = preprocess(WALL, spec).copy()
    view = how(Image.open(WALL).convert("RGB"), (spec.width, spec.height))
    tensor[0] = np.asarray(view, np.float32).transpose(2, 0, 1) / 255
    return tensor


def only_mistake(check: InputCheck) -> str:
    assert len(check.mistakes) == 1, check.mistakes
    return check.mistakes[0]


def test_a_right_tensor_is_right_and_its_photo_is_found(bundle: Bundle, golden: np.ndarray) -> None:
    check = check_input(bundle, golden)
    assert check.mistakes == [] and check.photo == "golden/coffee-noisy.jpg"
    assert check.max_abs == 0 and str(check).startswith("right")


def test_a_level_of_rounding_is_no_mistake(bundle: Bundle, right: np.ndarray) -> None:
    rounding = np.random.default_rng(0).choice([-1, 0, 0, 0, 1], right.shape).astype(np.float32) / 255
    assert check_input(bundle, right + rounding, WALL).mistakes == []


@pytest.mark.parametrize(
    ("mistaken", "word"),
    [
        (lambda x: x[:, ::-1], "BGR"),
        (lambda x: x * 255, "0–255"),
        (lambda x: x.transpose(0, 2, 3, 1), "channels-last"),
        (lambda x: np.ascontiguousarray(x.transpose(0, 2, 3, 1)).reshape(x.shape), "channels-last"),
        (lambda x: x[::-1], "views swapped"),
        (lambda x: x[:, :, ::-1], "upside down"),
        (lambda x: x.swapaxes(2, 3), "rows and columns"),
        (lambda x: (x - 0.5) / 0.5, "0.5 and deviation already applied"),
        (lambda x: ((x - 0.5) / 0.5 - 0.5) / 0.5, "and twice"),
        (
            lambda x: (x - np.reshape([0.485, 0.456, 0.406], (3, 1, 1))) / np.reshape([0.229, 0.224, 0.225], (3, 1, 1)),
            "ImageNet's and deviation already applied",
        ),
    ],
)
def test_a_wrong_arrangement_or_range_is_named(
    bundle: Bundle, golden: np.ndarray, mistaken: Callable[[np.ndarray], np.ndarray], word: str
) -> None:
    photo = bundle.root / "golden/coffee-noisy.jpg"
    assert word in only_mistake(check_input(bundle, mistaken(golden), photo))


@pytest.mark.parametrize(
    ("how", "word"),
    [
        (lambda photo, size: photo.resize(size, Image.Resampling.NEAREST), "not antialiased"),
        (
            lambda photo, size: photo.transform(
                size, Image.Transform.AFFINE, (photo.width / size[0], 0, 0, 0, photo.height / size[1], 0),
                Image.Resampling.BILINEAR,
            ),
            "not antialiased",
        ),
        (lambda photo, size: photo.resize(size, Image.Resampling.BILINEAR), "resized with bilinear"),
        (lambda photo, size: ImageChops.offset(photo, 2).resize(size, Image.Resampling.BICUBIC), "shifted by +0.5"),
        (
            lambda photo, size: photo.resize(size, Image.Resampling.BICUBIC, box=(70, 0, 70 + 1140, 1140)),
            "cropped to the view's aspect ratio",
        ),
    ],
    ids=["nearest", "bilinear without antialiasing", "bilinear", "half a pixel", "cropped"],
)  # fmt: skip
def test_another_way_to_resize_is_named(bundle: Bundle, how: Callable, word: str) -> None:
    mistake = only_mistake(check_input(bundle, resized(bundle, how), WALL))
    assert mistake.startswith("view whole") and word in mistake


def test_an_unknown_mistake_is_measured_in_levels_and_a_right_view_before_it_is_not_blamed(
    bundle: Bundle, right: np.ndarray
) -> None:
    wrong = right.copy()
    wrong[1] = (wrong[1] + np.where(np.arange(wrong.shape[-1]) % 2, 0.08, 0)).clip(0, 1)
    mistake = only_mistake(check_input(bundle, wrong, WALL))
    assert mistake.startswith("view detail: mean |Δ| ") and "no mistake that is known here" in mistake
    levels = float(mistake.split("|Δ| ")[1].split()[0])
    assert levels == pytest.approx(float(np.abs(wrong[1] - right[1]).mean()) * 255, abs=0.06)


def test_several_mistakes_are_all_named(bundle: Bundle, golden: np.ndarray) -> None:
    check = check_input(bundle, (golden[::-1, ::-1] * 255).transpose(0, 2, 3, 1))
    assert [word for word in ("channels-last", "BGR", "views", "0–255") if word not in str(check)] == []


def test_a_tensor_of_another_photo_is_refused_with_what_to_do(bundle: Bundle) -> None:
    noise = np.random.default_rng(0).random(bundle.manifest.input.shape, np.float32)
    with pytest.raises(BundleError, match="--photo"):
        check_input(bundle, noise)


def test_a_tensor_comes_from_npy_or_from_raw_floats(bundle: Bundle, golden: np.ndarray, tmp_path: Path) -> None:
    spec = bundle.manifest.input
    np.save(tmp_path / "a.npy", golden)
    golden.tofile(tmp_path / "a.bin")
    for name in ("a.npy", "a.bin"):
        assert np.array_equal(read_tensor(tmp_path / name, spec).reshape(spec.shape), golden)


def test_the_command_says_right_with_0_and_names_a_mistake_with_1(
    golden: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    photo = str(DEFAULT_BUNDLE / "golden/coffee-noisy.jpg")
    for tensor, status, word in ((golden, 0, "right"), (golden[:, ::-1], 1, "BGR")):
        np.save(tmp_path / "x.npy", tensor)
        assert main(["check-input", str(DEFAULT_BUNDLE), str(tmp_path / "x.npy"), "--photo", photo]) == status
        assert word in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"not a tensor"], ids=["empty", "cut", "text"])
def test_what_is_no_tensor_is_one_clear_line(bundle: Bundle, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(BundleError, match=r"x\.npy"):
        read_tensor(tmp_path / "x.npy", bundle.manifest.input)


def test_values_that_are_not_finite_are_refused(bundle: Bundle, golden: np.ndarray, tmp_path: Path) -> None:
    broken = golden.copy()
    broken[0, 0, 0, 0] = np.nan
    np.save(tmp_path / "x.npy", broken)
    with pytest.raises(BundleError, match="NaN"):
        read_tensor(tmp_path / "x.npy", bundle.manifest.input)


def test_a_tensor_that_is_no_regular_file_is_refused_and_never_waited_for(bundle: Bundle, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.npy")
    for path in (tmp_path / "fifo.npy", Path("/dev/zero"), tmp_path, tmp_path / "missing.npy"):
        with pytest.raises(BundleError, match="no regular file"):
            read_tensor(path, bundle.manifest.input)
