"""An app's tensor against the right ones of the bundle's photos."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pocketiqa.bundle import Bundle
from pocketiqa.check_input.arrangement import arrangements
from pocketiqa.check_input.resizing import is_right, resizing_mistakes
from pocketiqa.check_input.value_range import fit_line, range_mistakes
from pocketiqa.errors import BundleError, PhotoError
from pocketiqa.photo import load_photo
from pocketiqa.preprocess import PreprocessSpec, preprocess

INPUTS = "inputs/"  # where a bundle keeps photos that no program's score is expected of


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


def check_input(bundle: Bundle, tensor: np.ndarray, photo: Path | None = None) -> InputCheck:
    """Say whether ``tensor`` is the input for a photo, and if not, what was done to it.

    Args:
        bundle: its manifest describes the input, its photos are the candidates.
        tensor: as :func:`read_tensor` gives it.
        photo: the one it was made of; by default the most similar photo of the bundle is taken.

    Raises:
        BundleError: the bundle has no photos, or none that resembles the tensor.
        PhotoError: ``photo``, or one of the bundle's, cannot be read.
    """
    spec = bundle.manifest.input
    listed = [name for name in bundle.manifest.files if name in bundle.golden or _is_input_photo(name)]
    if not photo and not listed:
        raise BundleError("the bundle has no golden photos; name the photo with --photo")
    photos = {photo.name: photo} if photo else {name: bundle.read(name) for name in listed}
    expected = {name: _expected(content, name, spec) for name, content in photos.items()}
    candidates = arrangements(tensor, spec)
    stride = max(1, min(4, spec.height // 16, spec.width // 16))
    left, _, name, number = min(
        (fit_line(arrangement.pixels, pixels, stride)[0], len(arrangement.words), name, number)
        for name, pixels in expected.items()
        for number, arrangement in enumerate(candidates)
    )
    if left > 0.5:
        raise BundleError(
            "the tensor resembles none of the photos, in no order of axes, channels or views; feed the app one of "
            f"{', '.join(itertools.islice(photos, 3))}, or name its photo with --photo"
        )
    arrangement = candidates[number]
    left, slope, offset = fit_line(arrangement.pixels, expected[name])
    words, slope, offset = range_mistakes(slope, offset, left)
    integers = [] if tensor.dtype.kind == "f" else [f"{tensor.dtype}, where float32 belongs"]
    mistakes = [*arrangement.words, *integers, *words]
    pixels = (arrangement.pixels - np.reshape(offset, (-1, 1, 1))) / np.reshape(slope, (-1, 1, 1))
    gap = np.abs(pixels - expected[name])
    if not is_right(gap):
        rgb = load_photo(photos[name])
        # A browser cannot halve a JPEG while it decodes it, and takes means of squares.
        gap_to_means = np.abs(pixels - preprocess(rgb, spec))
        if is_right(gap_to_means):
            gap = gap_to_means
        else:
            mistakes += resizing_mistakes(rgb, pixels, expected[name], spec)
    return InputCheck(name, float(gap.mean() * 255), float(gap.max() * 255), mistakes)


def _expected(photo: Path | bytes, name: str, spec: PreprocessSpec) -> np.ndarray:
    try:
        return preprocess(photo, spec)
    except PhotoError as error:
        raise PhotoError(f"{name}: {error}" if isinstance(photo, bytes) else str(error)) from None


def _is_input_photo(name: str) -> bool:
    return name.startswith(INPUTS) and name.endswith((".jpg", ".png"))
