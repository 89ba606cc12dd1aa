"""An app's own tensor against the spec: a right one passes, and a wrong one is told by its kind."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops
from pocketiqa.bundle import DEFAULT_BUNDLE, Bundle
from pocketiqa.check_input import InputCheck, check_input, read_tensor
from pocketiqa.cli import main
from pocketiqa.errors import BundleError, PhotoError
from pocketiqa.halving import halved
from pocketiqa.photo import load_photo
from pocketiqa.preprocess import PreprocessSpec, preprocess

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


def centre_box(photo: Image.Image, width: float, height: float) -> tuple[float, float, float, float]:
    left, top = (photo.width - width) / 2, (photo.height - height) / 2
    return (left, top, left + width, top + height)


def normalized(x: np.ndarray) -> np.ndarray:
    return (x - np.reshape([0.485, 0.456, 0.406], (3, 1, 1))) / np.reshape([0.229, 0.224, 0.225], (3, 1, 1))


def only_mistake(check: InputCheck) -> str:
    assert len(check.mistakes) == 1, check.mistakes
    return check.mistakes[0]


def test_a_right_tensor_is_right_and_its_photo_is_found(bundle: Bundle, golden: np.ndarray) -> None:
    check = check_input(bundle, golden)
    assert check.mistakes == [] and check.photo == "golden/coffee-noisy.jpg"
    assert check.max_abs == 0 and str(check).startswith("right")


@pytest.mark.parametrize(("height", "width"), [(224, 224), (48, 80), (17, 9), (8, 8), (1, 300)])
@pytest.mark.parametrize("view", ["whole", "detail"])
def test_an_input_of_one_view_and_any_size_is_told_from_a_wrong_one(
    bundle: Bundle, height: int, width: int, view: str
) -> None:
    spec = PreprocessSpec(height, width, views=(view,))
    one = dataclasses.replace(bundle, manifest=dataclasses.replace(bundle.manifest, input=spec))
    tensor = preprocess(WALL, spec)
    assert check_input(one, tensor, WALL).mistakes == []
    assert "BGR" in only_mistake(check_input(one, tensor[:, ::-1], WALL))
    spotted = tensor.copy()
    spotted[..., : max(1, height // 16), : max(1, width // 16)] += 0.1
    assert only_mistake(check_input(one, spotted, WALL)).startswith(f"view {view}")


def test_a_photo_of_the_bundle_that_is_none_is_named(bundle: Bundle) -> None:
    name = next(iter(bundle.manifest.variants.values())).path
    golden = {name: {"int8": [0.5] * 7}}
    other = dataclasses.replace(bundle, manifest=dataclasses.replace(bundle.manifest, golden=golden))
    with pytest.raises(PhotoError, match=rf"{name}: .*no picture"):
        check_input(other, np.zeros(bundle.manifest.input.shape, np.float32))


def test_a_level_of_rounding_is_no_mistake(bundle: Bundle, right: np.ndarray) -> None:
    rounding = np.random.default_rng(0).choice([-1, 0, 0, 0, 1], right.shape).astype(np.float32) / 255
    assert check_input(bundle, right + rounding, WALL).mistakes == []


@pytest.mark.parametrize(
    ("mistaken", "word"),
    [
        (lambda x: x[:, ::-1], "BGR, where RGB belongs"),
        (lambda x: x[..., ::-1], "mirrored"),
        (lambda x: (255 * x - 0.5) / 0.5, "0.5 and deviation already applied to 0–255: divide by 255"),
        (lambda x: normalized(normalized(x)), "ImageNet's and deviation already applied, and twice"),
        (lambda x: x * 255, "0–255"),
        (lambda x: x.transpose(0, 2, 3, 1), "channels-last"),
        (lambda x: np.ascontiguousarray(x.transpose(0, 2, 3, 1)).reshape(x.shape), "channels-last"),
        (lambda x: x[::-1], "views swapped"),
        (lambda x: x[:, :, ::-1], "upside down"),
        (lambda x: x.swapaxes(2, 3), "rows and columns"),
        (lambda x: (x - 0.5) / 0.5, "0.5 and deviation already applied"),
        (lambda x: ((x - 0.5) / 0.5 - 0.5) / 0.5, "and twice"),
        (lambda x: normalized(x), "ImageNet's and deviation already applied: the program does that itself"),
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


@pytest.fixture(scope="module", params=["wide", "tall"])
def photo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wall, and it lying on its side; both shorter sides are reduced for the ``detail`` view."""
    if request.param == "wide":
        return WALL
    path = tmp_path_factory.mktemp("tall") / "tall.png"
    Image.open(WALL).convert("RGB").transpose(Image.Transpose.ROTATE_90).resize((1100, 1400)).save(path)
    return path


@pytest.mark.parametrize(
    ("how", "word"),
    [
        (lambda photo, box, size: photo.resize(size, Image.Resampling.BICUBIC), "the whole photo, where a cut"),
        (
            lambda photo, box, size: photo.resize(size, box=centre_box(photo, *size)),
            "cut at native resolution, where a reduction to 1024 comes first",
        ),
        (lambda photo, box, size: photo.resize(size, Image.Resampling.NEAREST, box=box), "not antialiased"),
        (lambda photo, box, size: photo.resize(size, Image.Resampling.BOX, box=box), "resized with box"),
    ],
    ids=["whole", "native", "nearest", "box"],
)
def test_another_way_to_cut_the_detail_is_named(bundle: Bundle, photo: Path, how: Callable, word: str) -> None:
    spec = bundle.manifest.input
    rgb = Image.open(photo).convert("RGB")
    scale = spec.detail_short_side / min(rgb.size)
    box = centre_box(rgb, spec.width / scale, spec.height / scale)
    tensor = preprocess(photo, spec).copy()
    tensor[1] = np.asarray(how(rgb, box, (spec.width, spec.height)), np.float32).transpose(2, 0, 1) / 255
    mistake = only_mistake(check_input(bundle, tensor, photo))
    assert mistake.startswith("view detail") and word in mistake


@pytest.mark.parametrize(("across", "down"), [(1.0, 0.0), (0.0, 1.0), (-0.75, 0.5)])
def test_a_shift_is_told_in_both_directions(bundle: Bundle, photo: Path, across: float, down: float) -> None:
    spec = bundle.manifest.input
    rgb = Image.open(photo).convert("RGB")
    grid = (1, 0, -across * rgb.width / spec.width, 0, 1, -down * rgb.height / spec.height)
    moved = rgb.transform(rgb.size, Image.Transform.AFFINE, grid, Image.Resampling.BICUBIC)
    tensor = preprocess(photo, spec).copy()
    tensor[0] = preprocess(np.asarray(moved), spec)[0]
    mistake = only_mistake(check_input(bundle, tensor, photo))
    right, below = (float(part.split()[-1]) for part in re.split(" pixels to the right and | down", mistake)[:2])
    assert (right, below) == (pytest.approx(across, abs=0.15), pytest.approx(down, abs=0.15))


def test_what_is_left_of_a_right_tensor_is_measured_in_levels(bundle: Bundle, golden: np.ndarray) -> None:
    noisy = golden.copy()
    noisy[:, :, ::2] += 2 / 255
    noisy[0, 0, 0, 0] += 4 / 255
    check = check_input(bundle, noisy, bundle.root / "golden/coffee-noisy.jpg")
    assert check.mean_abs == pytest.approx(1.0, abs=0.02)
    assert check.max_abs == pytest.approx(6.0, abs=0.02)
    assert "mean |Δ| 1.00 levels, max 6.0" in str(check)


def test_a_small_spot_that_is_wrong_is_a_mistake(bundle: Bundle, golden: np.ndarray) -> None:
    spotted = golden.copy()
    spotted[0, :, 100:104, 100:104] = 0.0
    check = check_input(bundle, spotted, bundle.root / "golden/coffee-noisy.jpg")
    assert check.mean_abs < 0.1 and only_mistake(check).startswith("view whole")


def test_another_range_is_told_by_its_line_and_integers_by_their_type(bundle: Bundle, golden: np.ndarray) -> None:
    photo = bundle.root / "golden/coffee-noisy.jpg"
    assert "about 3·x +0.25 " in only_mistake(check_input(bundle, 3 * golden + 0.25, photo))
    levels = np.round(golden * 255).astype(np.uint8)
    mistakes = check_input(bundle, levels, photo).mistakes
    assert mistakes[0] == "uint8, where float32 belongs" and "0–255" in mistakes[1] and len(mistakes) == 2


def test_an_order_and_a_resize_that_are_both_wrong_are_both_named(bundle: Bundle) -> None:
    tensor = resized(bundle, lambda photo, size: photo.resize(size, Image.Resampling.NEAREST))
    mistakes = check_input(bundle, tensor[:, ::-1], WALL).mistakes
    assert len(mistakes) == 2 and "BGR" in mistakes[0] and "not antialiased" in mistakes[1]


def test_a_bundle_without_photos_asks_for_one_and_takes_one(bundle: Bundle, right: np.ndarray) -> None:
    bare = dataclasses.replace(bundle, manifest=dataclasses.replace(bundle.manifest, files={}, golden={}))
    with pytest.raises(BundleError, match="--photo"):
        check_input(bare, right)
    assert check_input(bare, right, WALL).mistakes == []


def test_a_pickle_in_a_npy_file_is_refused_and_not_run(bundle: Bundle, tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "was run",))

    np.save(tmp_path / "x.npy", np.array([Harmful()], dtype=object), allow_pickle=True)
    with pytest.raises(BundleError, match=r"x\.npy"):
        read_tensor(tmp_path / "x.npy", bundle.manifest.input)
    assert not (tmp_path / "was run").exists()


def test_raw_bytes_are_a_tensor_of_levels(bundle: Bundle, golden: np.ndarray, tmp_path: Path) -> None:
    spec = bundle.manifest.input
    levels = np.round(golden * 255).astype(np.uint8)
    levels.tofile(tmp_path / "x.bin")
    assert np.array_equal(read_tensor(tmp_path / "x.bin", spec).reshape(spec.shape), levels)


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


@pytest.mark.parametrize("style", ["JPEG", "PNG"])
def test_a_tensor_of_a_large_photo_that_was_not_halved_first_is_named(
    bundle: Bundle, style: str, tmp_path: Path
) -> None:
    spec = bundle.manifest.input
    path = tmp_path / "large"
    tiled = np.tile(np.asarray(Image.open(WALL).convert("RGB")), (3, 3, 1))[:2870, :3220]
    Image.fromarray(tiled).save(path, style, quality=92, compress_level=1)
    tensor = preprocess(path, spec)
    assert check_input(bundle, tensor, path).mistakes == []
    by_means = preprocess(Image.open(path), spec)
    assert np.array_equal(by_means, tensor) == (style == "PNG")
    assert check_input(bundle, by_means, path).mistakes == []
    whole = "view whole: made of {}, where one of a short side of 718 comes first"
    detail = "view detail: made of the whole photo, where one of a short side of 1435 comes first"
    mistakes = check_input(bundle, preprocess(path, spec.of_tensor), path).mistakes
    assert mistakes == [whole.format("the whole photo"), detail]
    tensor[0] = preprocess(halved(load_photo(path), spec.enough), spec.of_tensor)[0]
    mistakes = check_input(bundle, tensor, path).mistakes
    assert mistakes == [whole.format("a picture of a short side of 1435")]
