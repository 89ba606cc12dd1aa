"""Is a tensor, as an app made it, the one that the manifest describes? If not: which mistake does it look like?

    check = check_input(Bundle.open(), read_tensor(Path("from_phone.npy"), spec), photo=None)
    print(check)

The tensor is compared with what ``pocketiqa.preprocess`` makes of the bundle's photos. First its arrangement is
found: the order of axes, channels and views, and the line ``a·x + b`` that its values lie on. What is left after
undoing those is compared with other ways to resize, and with a shift that is estimated from the picture's gradient
(Lucas and Kanade, "An iterative image registration technique", 1981).
"""

from __future__ import annotations

import io
import itertools
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from pocketiqa.bundle import Bundle
from pocketiqa.errors import BundleError
from pocketiqa.manifest import MAX_FILE_BYTES
from pocketiqa.photo import load_photo
from pocketiqa.preprocess import RESAMPLING, PreprocessSpec, preprocess
from pocketiqa.promises import APP_INPUT_MAX, APP_INPUT_MEAN

INPUTS = "inputs/"  # where a bundle keeps photos that no program's score is expected of
RIGHT_MEAN, RIGHT_MAX = APP_INPUT_MEAN / 255, APP_INPUT_MAX / 255
_STRIDE = 4  # of the pixels that the arrangement is looked for on
_IMAGENET = (np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225]))
_HALF = (np.full(3, 0.5), np.full(3, 0.5))
_ON_A_LINE = 0.02  # share of the variance that a line leaves, below which nothing else was mistaken
_FEWEST_SHIFT = 0.15  # pixels; below it an estimated shift is an estimate's error


@dataclass(frozen=True)
class InputCheck:
    """What a tensor turned out to be.

    Attributes:
        photo: the photo that it was made of, as far as can be told.
        mistakes: what it looks like was done to it, one line each; empty for a right one.
        mean_abs, max_abs: |difference| to the right tensor, in levels of 1/255, after undoing order and range.
    """

    photo: str
    mean_abs: float
    max_abs: float
    mistakes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        rest = f"mean |Δ| {self.mean_abs:.2f} levels, max {self.max_abs:.1f}"
        if not self.mistakes:
            return f"right: {self.photo} as the manifest describes it ({rest})"
        return "\n".join([f"wrong, made of {self.photo}:", *(f"- {line}" for line in self.mistakes), f"  then: {rest}"])


@dataclass(frozen=True)
class _Arrangement:
    """How a tensor lies in memory, against V×3×H×W in RGB; the words name what was mistaken."""

    words: tuple[str, ...]
    pixels: np.ndarray


def read_tensor(path: Path, spec: PreprocessSpec) -> np.ndarray:
    """An app's tensor: ``.npy``, or raw little-endian float32 (or uint8) values without any header.

    Raises:
        BundleError: unreadable, not numbers, not finite, or not as many values as the input has.
    """
    wanted = int(np.prod(spec.shape))
    if not os.path.isfile(path):
        raise BundleError(f"{path} cannot be read: it is missing, or no regular file")
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_FILE_BYTES)
        if content[:6] == b"\x93NUMPY":
            values = np.load(io.BytesIO(content), allow_pickle=False)
        else:
            values = np.frombuffer(content, np.uint8 if len(content) == wanted else "<f4")
    except (OSError, ValueError, MemoryError) as error:
        raise BundleError(f"{path} is neither a .npy file nor raw float32 values: {error}") from None
    if values.size != wanted or values.dtype.kind not in "fiu":
        raise BundleError(
            f"{path} holds {values.dtype} of shape {list(values.shape)}; the input is float32 of shape "
            f"{list(spec.shape)}, {wanted} values: {len(spec.views)} views ({', '.join(spec.views)}) of one photo"
        )
    if not np.isfinite(values.astype(np.float32)).all():
        raise BundleError(f"{path} holds NaN or infinite values; the input's are in [0, 1]")
    return values


def check_input(bundle: Bundle, tensor: np.ndarray, photo: Path | None = None) -> InputCheck:
    """Say whether ``tensor`` is the input for a photo, and if not, what was done to it.

    Args:
        bundle: its manifest describes the input, its photos are the candidates.
        tensor: as :func:`read_tensor` gives it.
        photo: the one it was made of; by default the most similar photo of the bundle is taken.

    Raises:
        BundleError: the bundle has no photos, or none that resembles the tensor.
        PhotoError: ``photo`` cannot be read.
    """
    spec = bundle.manifest.input
    listed = [name for name in bundle.manifest.files if name in bundle.golden or _is_input_photo(name)]
    if not photo and not listed:
        raise BundleError("the bundle has no golden photos; name the photo with --photo")
    photos = {photo.name: load_photo(photo, None)} if photo else {name: _opened(bundle, name) for name in listed}
    expected = {name: preprocess(picture, spec) for name, picture in photos.items()}
    arrangements = list(_arrangements(tensor, spec))
    found = min(
        (_misfit(arrangement.pixels, pixels)[0], len(arrangement.words), name, number)
        for name, pixels in expected.items()
        for number, arrangement in enumerate(arrangements)
    )
    misfit, _, name, number = found
    if misfit > 0.5:
        raise BundleError(
            "the tensor resembles none of the photos, in no order of axes, channels or views; feed the app one of "
            f"{', '.join(itertools.islice(photos, 3))}, or name its photo with --photo"
        )
    arrangement = arrangements[number]
    misfit, slope, offset = _misfit(arrangement.pixels, expected[name], stride=1)
    words, slope, offset = _range(slope, offset, misfit)
    integers = [] if tensor.dtype.kind == "f" else [f"{tensor.dtype}, where float32 belongs"]
    mistakes = [*arrangement.words, *integers, *words]
    pixels = (arrangement.pixels - np.reshape(offset, (-1, 1, 1))) / np.reshape(slope, (-1, 1, 1))
    gap = np.abs(pixels - expected[name])
    if gap.mean() > RIGHT_MEAN or gap.max() > RIGHT_MAX:
        mistakes += _resizing_mistakes(photos[name], pixels, expected[name], spec)
    return InputCheck(name, float(gap.mean() * 255), float(gap.max() * 255), mistakes)


def _opened(bundle: Bundle, name: str) -> Image.Image:
    return load_photo(Image.open(io.BytesIO(bundle.read(name))), None)


def _is_input_photo(name: str) -> bool:
    return name.startswith(INPUTS) and name.endswith((".jpg", ".png"))


def _arrangements(tensor: np.ndarray, spec: PreprocessSpec) -> list[_Arrangement]:
    views, channels, height, width = spec.shape
    values = tensor.astype(np.float32)
    layouts = {"": values.reshape(spec.shape)}
    last = values.reshape(views, height, width, channels).transpose(0, 3, 1, 2)
    is_last = tensor.shape[-1] == channels
    layouts["channels-last: H×W×3 in memory, where 3×H×W belongs"] = last
    if is_last:
        del layouts[""]
    turns = {"": lambda x: x, "upside down": lambda x: x[:, :, ::-1], "mirrored": lambda x: x[..., ::-1]}
    if height == width:
        turns["rows and columns swapped"] = lambda x: x.swapaxes(2, 3)
    orders = {"": slice(None), "BGR, where RGB belongs": slice(None, None, -1)}
    swaps = {"": slice(None)}
    if views > 1:
        swaps[f"views swapped: their order is {', '.join(spec.views)}"] = slice(None, None, -1)
    return [
        _Arrangement(tuple(filter(None, (layout, turn, order, swap))), turns[turn](pixels)[swaps[swap], orders[order]])
        for (layout, pixels), turn, order, swap in itertools.product(layouts.items(), turns, orders, swaps)
    ]


def _misfit(pixels: np.ndarray, expected: np.ndarray, stride: int = _STRIDE) -> tuple[float, np.ndarray, np.ndarray]:
    """Share of the variance that ``pixels = slope·expected + offset`` leaves, and that line for each channel, of the
    view in which it leaves least: another may have been cut or resized so wrongly that it resembles nothing."""
    lines = (_line(*(view[:, ::stride, ::stride].reshape(3, -1) for view in pair)) for pair in zip(pixels, expected))
    return min(lines, key=lambda line: line[0])


def _line(y: np.ndarray, x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """As :func:`_misfit`, of one view's values, 3×n."""
    mean_x, mean_y = x.mean(1, keepdims=True), y.mean(1, keepdims=True)
    variance = ((x - mean_x) ** 2).mean(1) + 1e-9
    slope = ((x - mean_x) * (y - mean_y)).mean(1) / variance
    offset = mean_y[:, 0] - slope * mean_x[:, 0]
    rest = ((y - slope[:, None] * x - offset[:, None]) ** 2).mean(1)
    if (slope <= 0).any():
        return 1.0, slope, offset
    return float((rest / ((y - mean_y) ** 2).mean(1).clip(1e-9)).mean()), slope, offset


def _range(slope: np.ndarray, offset: np.ndarray, misfit: float) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The mistake whose line is nearest to the one found, if one is near, and that line; none for [0, 1]."""
    zero, one = np.zeros(3), np.ones(3)
    lines = {"": (one, zero), "0–255, where [0, 1] belongs: divide by 255": (255 * one, zero)}
    for name, (mean, deviation) in {"0.5": _HALF, "ImageNet's": _IMAGENET}.items():
        applied = f"mean {name} and deviation already applied"
        once = (1 / deviation, -mean / deviation)
        lines[f"{applied}: the program does that itself, so it happens twice"] = once
        lines[f"{applied}, and twice: the program does it once more"] = (once[0] ** 2, once[1] * once[0] + once[1])
        lines[f"{applied} to 0–255: divide by 255, and leave the rest to the program"] = (255 * once[0], once[1])
    distances = {
        words: max(np.abs(slope - a).max(), np.abs(offset - b).max()) / a.max() for words, (a, b) in lines.items()
    }
    nearest = min(distances, key=distances.get)
    # A tensor that was also resized in another way does not lie on any line exactly.
    if distances[nearest] < (0.06 if misfit < _ON_A_LINE else 0.4):
        return [nearest] if nearest else [], *lines[nearest]
    words = f"another range: values are about {slope.mean():.3g}·x {offset.mean():+.3g} of the right ones"
    return [words], slope, offset


def _resizing_mistakes(rgb: Image.Image, pixels: np.ndarray, expected: np.ndarray, spec: PreprocessSpec) -> list[str]:
    mistakes = []
    for view, given, right in zip(spec.views, pixels, expected):
        plain = float(np.abs(given - right).mean())
        if plain <= RIGHT_MEAN and np.abs(given - right).max() <= RIGHT_MAX:
            continue
        shift, left = _shift(given, right)
        rivals = {name: float(np.abs(given - other).mean()) for name, other in _other_resizes(rgb, view, spec).items()}
        if np.hypot(*shift) >= _FEWEST_SHIFT:
            rivals[
                f"shifted by {shift[0]:+.2f} pixels to the right and {shift[1]:+.2f} down: sample at pixel centres "
                "(x + 0.5), not at corners"
            ] = left * plain
        best = min(rivals, key=rivals.get)
        if rivals[best] < 0.6 * plain:
            mistakes.append(f"view {view}: {best}")
        else:
            mistakes.append(
                f"view {view}: mean |Δ| {plain * 255:.1f} levels, and no mistake that is known here; compare the "
                "decoder, colour profile and orientation"
            )
    return mistakes


def _shift(given: np.ndarray, right: np.ndarray) -> tuple[tuple[float, float], float]:
    """Displacement (x, y) in pixels of ``given`` against ``right``, both 3×H×W, and the share of the |difference| that
    it leaves. On smoothed pictures, in which a displacement of half a pixel follows the gradient."""
    given, right = _smooth(given), _smooth(right)
    down, across = np.gradient(right, axis=(1, 2))
    gradients = np.stack([across.ravel(), down.ravel()], axis=1)
    difference = (right - given).ravel()
    moved, *_ = np.linalg.lstsq(gradients, difference, rcond=None)
    left = np.abs(difference - gradients @ moved).mean() / (np.abs(difference).mean() + 1e-9)
    return (float(moved[0]), float(moved[1])), float(left)


def _smooth(picture: np.ndarray, width: int = 5) -> np.ndarray:
    """Means over ``width``×``width`` pixels, where they lie wholly inside."""
    for axis in (1, 2):
        picture = np.lib.stride_tricks.sliding_window_view(picture, width, axis=axis).mean(-1)
    return picture


def _other_resizes(rgb: Image.Image, view: str, spec: PreprocessSpec) -> dict[str, np.ndarray]:
    size = (spec.width, spec.height)
    if view == "detail":
        whole = (0.0, 0.0, *map(float, rgb.size))
        scale = max(min(1.0, spec.detail_short_side / min(rgb.size)), size[0] / rgb.width, size[1] / rgb.height)
        box = _centre_box(rgb, size[0] / scale, size[1] / scale)
        others = {"the whole photo, where a cut from its centre belongs": rgb.resize(size, box=whole)}
        if scale != 1 and min(rgb.size) >= max(size):
            native = _centre_box(rgb, *size)
            others[f"cut at native resolution, where a reduction to {spec.detail_short_side} comes first"] = rgb.resize(
                size, box=native
            )
    else:
        box = (0.0, 0.0, *map(float, rgb.size))
        short = min(rgb.width / size[0], rgb.height / size[1])
        others = {
            "cropped to the view's aspect ratio, where the whole photo is squeezed into it": rgb.resize(
                size, RESAMPLING[spec.resample], box=_centre_box(rgb, short * size[0], short * size[1])
            )
        }
    grid = ((box[2] - box[0]) / size[0], 0, box[0], 0, (box[3] - box[1]) / size[1], box[1])
    for name in ("NEAREST", "BILINEAR", "BICUBIC"):
        others[f"not antialiased ({name.lower()} on the photo's own pixels): widen the filter with the reduction"] = (
            rgb.transform(size, Image.Transform.AFFINE, grid, Image.Resampling[name])
        )
    for name, resampling in {**RESAMPLING, "box": Image.Resampling.BOX}.items():
        if name != spec.resample:
            others[f"resized with {name}, where {spec.resample} belongs"] = rgb.resize(size, resampling, box=box)
    return {name: np.asarray(image, np.float32).transpose(2, 0, 1) / 255 for name, image in others.items()}


def _centre_box(rgb: Image.Image, width: float, height: float) -> tuple[float, float, float, float]:
    width, height = min(width, rgb.width), min(height, rgb.height)
    left, top = (rgb.width - width) / 2, (rgb.height - height) / 2
    return (left, top, left + width, top + height)
