"""The one place where a photo becomes the student's input: training, calibration and export call it.

    from pocketiqa.preprocess import PreprocessSpec, preprocess
    spec = PreprocessSpec(height=320, width=320, views=("whole", "detail"), reduction="halves")
    x = preprocess("photo.jpg", spec)                         # float32 2×3×320×320 in [0, 1]

The steps, exactly: the photo as upright 8-bit sRGB (``pocketiqa.pixels``); a large one halved, where ``reduction`` is
``halves`` (``pocketiqa.halving``); its views, each ``width × height`` and stacked on the first axis; divided by 255 in
float32; channels R, G, B; contiguous NCHW. Mean and deviation are the network's business. Every resize is Pillow's,
antialiased (the kernel widens with the reduction; bicubic has a = −0.5) and rounded back to 8 bits. A view is either

- ``whole``: the photo resized to ``width × height``, whatever its aspect ratio: composition, exposure,
  colour. Where ``reduction`` is ``halves``, the picture (halved already or not) is first halved on by means of squares,
  as often as its short side stays at twice the view's longer side or above (``enough_for_whole``): that takes a part of
  the time of an antialiased resize of all pixels;
- ``detail``: the centre ``width × height`` pixels, so that blur and noise survive. A photo whose short side
  is longer than ``detail_short_side`` is first reduced to it (nobody looks at a 12-megapixel photo pixel by
  pixel), and one with a side shorter than the view is enlarged just enough to fill it. Of a photo that was halved it is
  the mean, rounded down, of the bicubic and the Lanczos resize: halving takes a little of the finest detail, so that
  bicubic alone leaves less of it than in a photo that is not halved, and Lanczos as much more; the score follows.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from PIL import Image

from pocketiqa.errors import BundleError
from pocketiqa.halving import halved
from pocketiqa.photo import Photo, PhotoLimits, Picture, open_photo, read_photo, to_rgb

__all__ = ["PhotoLimits", "PreprocessSpec", "open_photo", "preprocess", "to_rgb"]

RESAMPLING = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
# Stated in every manifest, so that a phone's engineer need not guess; only these values are implemented.
_FIXED = {
    "antialias": True,
    "rounding": "uint8",
    "colour_order": "RGB",
    "value_range": (0.0, 1.0),
    "layout": "NCHW",
}
VIEWS = ("whole", "detail")
REDUCTIONS = ("none", "halves")
_LONGEST_SIDE = 4096


@dataclass(frozen=True)
class PreprocessSpec:
    """What the student's input tensor is, in words that a phone's engineer can follow.

    Attributes:
        height, width: of each view, in pixels.
        views: one or two of ``whole`` and ``detail``, in the order of the tensor's first axis.
        detail_short_side: pixels; the ``detail`` view of a larger photo is cut after a reduction to this.
        reduction: ``halves``: a photo is halved as often as its short side stays at ``enough`` or above, a JPEG while
            it is decoded (``pocketiqa.halving``), and its views are cut from that, ``whole`` after halving it on to
            ``enough_for_whole``. ``none``: they are cut from the whole photo, as in manifests of schema version 1.
        resample: ``bilinear``, ``bicubic`` or ``lanczos``, always antialiased.
        antialias: the filter's support grows with the reduction.
        rounding: the resized pixels are rounded to ``uint8`` before the division by 255.
        colour_order, value_range, layout: of the float32 tensor.

    Raises:
        BundleError: a field has a value that this version of pocketiqa does not implement.
    """

    height: int
    width: int
    views: tuple[str, ...] = ("whole",)
    detail_short_side: int = 1024
    resample: str = "bicubic"
    antialias: bool = True
    rounding: str = "uint8"
    colour_order: str = "RGB"
    value_range: tuple[float, float] = (0.0, 1.0)
    layout: str = "NCHW"
    reduction: str = "none"

    def __post_init__(self) -> None:
        for name in ("height", "width", "detail_short_side"):
            side = getattr(self, name)
            if type(side) is not int or not 1 <= side <= _LONGEST_SIDE:
                raise BundleError(f"input {name} is {side!r}; it must be an integer of 1 to {_LONGEST_SIDE}")
        if not self.views or len(set(self.views)) != len(self.views) or not set(self.views) <= set(VIEWS):
            raise BundleError(f"input views are {self.views!r}; allowed are {' and '.join(VIEWS)}, each once")
        if self.resample not in RESAMPLING:
            raise BundleError(f"input resample is {self.resample!r}; implemented are {', '.join(RESAMPLING)}")
        if self.reduction not in REDUCTIONS:
            raise BundleError(f"input reduction is {self.reduction!r}; implemented are {', '.join(REDUCTIONS)}")
        if self.reduction == "halves" and self.resample != "bicubic":
            raise BundleError(f"input reduction is 'halves' and resample {self.resample!r}; halves needs bicubic")
        for name, implemented in _FIXED.items():
            if getattr(self, name) != implemented:
                raise BundleError(
                    f"input {name} is {getattr(self, name)!r}; this version of pocketiqa implements only "
                    f"{implemented!r}: install the version that wrote the bundle"
                )

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of the input tensor: (views, 3, height, width)."""
        return (len(self.views), 3, self.height, self.width)

    @property
    def enough(self) -> int | None:
        """Pixels that must be left of a photo's short side when it is halved; None where no photo is halved.

        7/5 of what the views need: with less room the detail view's resize no longer hides the halving.
        """
        return max(self.detail_short_side, self.height, self.width) * 7 // 5 if self.reduction == "halves" else None

    @property
    def enough_for_whole(self) -> int | None:
        """Pixels that must be left of a picture's short side when it is halved for the ``whole`` view alone; None where
        none is halved. Twice the view's longer side: the resize that follows still reduces by two or more.
        """
        return 2 * max(self.height, self.width) if self.reduction == "halves" else None

    @property
    def of_tensor(self) -> PreprocessSpec:
        """What a program's metadata say: its tensor. How a large photo is read on the way, the manifest says."""
        return replace(self, reduction="none")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; ``from_dict`` reads it back. ``reduction`` is left out where it is ``none``."""
        values = {**asdict(self), "views": list(self.views), "value_range": list(self.value_range)}
        if self.reduction == "none":
            del values["reduction"]
        return values

    @classmethod
    def from_dict(cls, values: Any) -> PreprocessSpec:
        """The spec of a manifest or of a program's metadata.

        Raises:
            BundleError: not an object, a field missing or unknown, or a value that is not implemented.
        """
        if not isinstance(values, dict):
            raise BundleError(f"the input spec is {type(values).__name__}; it must be an object")
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(values) - known, key=str):
            raise BundleError(f"the input spec has unknown fields {unknown}; known are {sorted(known)}")
        if missing := sorted({"height", "width"} - set(values)):
            raise BundleError(f"the input spec lacks {' and '.join(missing)}")
        values = dict(values)
        for name in ("views", "value_range"):
            if isinstance(values.get(name), list):
                values[name] = tuple(values[name])
        try:
            return cls(**values)
        except TypeError as error:  # an unhashable value where a word belongs
            raise BundleError(f"the input spec has a value of a wrong type: {error}") from None


def preprocess(
    photo: Photo,
    spec: PreprocessSpec,
    limits: PhotoLimits | None = None,
) -> np.ndarray:
    """The student's input for one photo.

    Args:
        photo: a path, the bytes of an encoded file, a PIL image of any mode, or a uint8 array of shape H×W×3 in
            RGB order.
        spec: of the program that will read the tensor.
        limits: what a photo may cost; the defaults of ``PhotoLimits``.

    Returns:
        float32 array of shape views×3×height×width in [0, 1], C-contiguous.

    Raises:
        PhotoError: the photo is unreadable, of a wrong type or outside ``limits``.
    """
    return input_of(read_photo(photo, limits, spec.enough), spec)


def input_of(picture: Picture, spec: PreprocessSpec) -> np.ndarray:
    """The student's input for a picture that was read with ``spec.enough``; as ``preprocess`` returns it."""
    rgb = picture.rgb
    sharpened = spec.enough is not None and rgb.size != (picture.width, picture.height)
    detail = _detail_of_halved if sharpened else _detail
    return tensor_of([_whole(rgb, spec) if view == "whole" else detail(rgb, spec) for view in spec.views])


def tensor_of(views: list[Image.Image]) -> np.ndarray:
    """RGB pictures of one size as float32 views×3×height×width in [0, 1], C-contiguous."""
    planes = np.ascontiguousarray(np.stack(views).transpose(0, 3, 1, 2))
    return planes / np.float32(255)


def _whole(rgb: Image.Image, spec: PreprocessSpec) -> Image.Image:
    return halved(rgb, spec.enough_for_whole).resize((spec.width, spec.height), RESAMPLING[spec.resample])


def detail_scale(size: tuple[int, int], spec: PreprocessSpec) -> float:
    """By how much the detail view enlarges a photo of ``size`` (width, height): 1 for native pixels, less for a photo
    with a short side over ``detail_short_side``, more for one smaller than the view.
    """
    reduce = min(1.0, spec.detail_short_side / min(size))
    return max(reduce, spec.width / size[0], spec.height / size[1])


def _detail_of_halved(rgb: Image.Image, spec: PreprocessSpec) -> Image.Image:
    return Image.blend(_detail(rgb, spec), _detail(rgb, replace(spec.of_tensor, resample="lanczos")), 0.5)


def _detail(rgb: Image.Image, spec: PreprocessSpec) -> Image.Image:
    scale = detail_scale(rgb.size, spec)
    # The cut is taken in the photo's own coordinates: a huge or very long photo is never resized whole.
    width, height = spec.width / scale, spec.height / scale
    left, top = (rgb.width - width) / 2, (rgb.height - height) / 2
    if scale == 1:
        left, top = int(left), int(top)  # native pixels, untouched by any filter
        return rgb.crop((left, top, left + spec.width, top + spec.height))
    # Rounding may carry the box a hair over the photo's edge, which Pillow refuses.
    left, top = max(left, 0), max(top, 0)
    box = (left, top, min(left + width, rgb.width), min(top + height, rgb.height))
    return rgb.resize((spec.width, spec.height), RESAMPLING[spec.resample], box=box)
