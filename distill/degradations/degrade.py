"""`degrade`, the one checked entrance to every kind, and the table of kinds.

A row of the table: group, function, the parameter at each level, and the attribute that it harms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from .blur import gaussian_blur, lens_blur, motion_blur
from .brightness import brighten, darken, mean_shift
from .colour import colour_diffusion, colour_shift, saturation_hsv, saturation_lab
from .compression import jpeg, jpeg2000
from .contrast import linear_contrast, nonlinear_contrast, over_sharpen
from .noise import impulse_noise, multiplicative_noise, white_noise, white_noise_ycbcr
from .spatial import colour_blocks, jitter, misplaced_patches, pixelate, quantization

LEVELS = (1, 2, 3, 4, 5)
# The largest thing that is pasted, one block of flat colour, has to fit.
SMALLEST_SIDE = 32


@dataclass(frozen=True)
class Degradation:
    """One kind of degradation.

    Attributes:
        group: one of ``GROUPS``.
        function: ``(images, value, seeds) -> images``, one seed for each image; it checks nothing,
            ``degrade`` does that.
        levels: the function's parameter at level 1 to 5, mildest first.
        parameter: what that parameter is, for labels.
        attribute: the student's attribute that it harms; None where no single one is to blame.
    """

    group: str
    function: Callable[[torch.Tensor, float, Sequence[int]], torch.Tensor]
    levels: tuple[float, float, float, float, float]
    parameter: str
    attribute: str | None

    @property
    def name(self) -> str:
        """Key in ``DEGRADATIONS``."""
        return self.function.__name__


_ROWS = (
    # Published: .1 at level 1, where a neighbour weighs e^-50: the identity.
    Degradation("blur", gaussian_blur, (0.4, 0.5, 1, 2, 5), "sigma px", "sharpness"),
    Degradation("blur", lens_blur, (1, 2, 4, 6, 8), "radius px", "sharpness"),
    Degradation("blur", motion_blur, (1, 2, 4, 6, 10), "length px", "sharpness"),
    Degradation("colour", colour_diffusion, (1, 3, 6, 8, 12), "amount", "colour"),
    Degradation("colour", colour_shift, (1, 3, 6, 8, 12), "shift px", "colour"),
    Degradation("colour", saturation_hsv, (0.4, 0.2, 0.1, 0, -0.4), "factor", "colour"),
    # Published: 1 at level 1, the identity.
    Degradation("colour", saturation_lab, (1.5, 2, 3, 6, 9), "factor", "colour"),
    Degradation("compression", jpeg2000, (16, 32, 45, 120, 170), "ratio", "compression"),
    Degradation("compression", jpeg, (43, 36, 24, 7, 4), "quality", "compression"),
    Degradation("noise", white_noise, (0.001, 0.002, 0.003, 0.005, 0.01), "variance", "noise"),
    Degradation("noise", white_noise_ycbcr, (0.0001, 0.0005, 0.001, 0.002, 0.003), "variance", "noise"),
    Degradation("noise", impulse_noise, (0.001, 0.005, 0.01, 0.02, 0.03), "density", "noise"),
    Degradation("noise", multiplicative_noise, (0.001, 0.005, 0.01, 0.02, 0.05), "variance", "noise"),
    Degradation("brightness", brighten, (0.1, 0.2, 0.4, 0.7, 1.1), "amount", "exposure"),
    Degradation("brightness", darken, (0.05, 0.1, 0.2, 0.4, 0.8), "amount", "exposure"),
    # Published: 0 .08 -.08 .15 -.15, which begins with the identity and changes sign. Here: even steps
    # upwards to the published extreme; darken covers the other direction.
    Degradation("brightness", mean_shift, (0.03, 0.06, 0.09, 0.12, 0.15), "shift", "exposure"),
    # A displaced pixel reads as blur and as grain alike: no single attribute is to blame.
    Degradation("spatial", jitter, (0.05, 0.1, 0.2, 0.5, 1), "amount px", None),
    # Content in the wrong place; no attribute speaks of content.
    Degradation("spatial", misplaced_patches, (20, 40, 60, 80, 100), "patches", None),
    Degradation("spatial", pixelate, (0.01, 0.05, 0.1, 0.2, 0.5), "strength", "sharpness"),
    # Banding harms tone, colour and smoothness together.
    Degradation("spatial", quantization, (20, 16, 13, 10, 7), "values", None),
    # Content is hidden; the rest of the photo stays as it was.
    Degradation("spatial", colour_blocks, (2, 4, 6, 8, 10), "blocks", None),
    # Halos are no lack of sharpness: labelled so, they would teach the opposite of the word.
    Degradation("sharpness_contrast", over_sharpen, (1, 2, 3, 6, 12), "amount", None),
    # Published: amounts a = 0 .15 -.4 .3 -.6 of a curve through (.3, .25 - a/4) and (.7, .75 + a/4), which is
    # a gain of 1.25(1 + a) about mid-grey. Here: their magnitudes, sorted, with the sign that raises
    # contrast, because nonlinear_contrast already lowers it. The gain at a = 0 is not the identity.
    Degradation("sharpness_contrast", linear_contrast, (1.25, 1.4375, 1.625, 1.75, 2), "gain", "contrast"),
    Degradation("sharpness_contrast", nonlinear_contrast, (0.4, 0.3, 0.2, 0.1, 0.05), "half-range", "contrast"),
)

DEGRADATIONS: dict[str, Degradation] = {row.name: row for row in _ROWS}
KINDS: tuple[str, ...] = tuple(DEGRADATIONS)
GROUPS: tuple[str, ...] = tuple(dict.fromkeys(row.group for row in _ROWS))
ATTRIBUTE_OF_KIND: dict[str, str | None] = {row.name: row.attribute for row in _ROWS}


@torch.no_grad()
def degrade(images: torch.Tensor, kind: str, level: int, seed: int | Sequence[int]) -> torch.Tensor:
    """A degraded copy of a batch; the input is never changed.

    The same image, kind, level and seed give the same result alone or in a batch. Two levels with one seed
    share their random draw (the same noise, stronger; the same patches, and more), which keeps severity
    monotone; use another seed where two copies have to be independent.

    Args:
        images: float32 B×3×H×W, RGB in [0, 1], both sides at least 32 pixels, on any device.
        kind: one of ``KINDS``.
        level: 1 (mildest) to 5.
        seed: one for every image of the batch, or B of them, one for each.

    Returns:
        float32 B×3×H×W in [0, 1], contiguous, on the same device.

    Raises:
        TypeError: images are no float32 tensor, or a level or seed is no integer.
        ValueError: unknown kind or level, wrong shape, wrong number of seeds, or a value outside [0, 1].
    """
    _check_images(images)
    if kind not in DEGRADATIONS:
        raise ValueError(f"unknown kind of degradation {kind!r}; allowed are {', '.join(KINDS)}")
    if not _is_integer(level):
        raise TypeError(f"level is {level!r}; give an integer from {LEVELS[0]} to {LEVELS[-1]}")
    if level not in LEVELS:
        raise ValueError(f"level is {level}; allowed are {LEVELS[0]} (mildest) to {LEVELS[-1]}")
    seeds = [seed] * len(images) if _is_integer(seed) else seed
    if isinstance(seeds, str) or not isinstance(seeds, Sequence) or not all(map(_is_integer, seeds)):
        raise TypeError(f"seed is {seed!r}; give an integer or a sequence of {len(images)} integers")
    if len(seeds) != len(images):
        raise ValueError(f"{len(seeds)} seeds for {len(images)} images; give one, or one for each image")
    row = DEGRADATIONS[kind]
    degraded = row.function(images, row.levels[level - 1], seeds)
    # A kernel's weights add up to 1 only to the last bit, so that white could come out a hair above 1.
    return degraded.clamp(0, 1).contiguous()


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_images(images: torch.Tensor) -> None:
    if not isinstance(images, torch.Tensor):
        raise TypeError(f"images are a {type(images).__name__}; give a float32 tensor B×3×H×W in [0, 1]")
    if images.dtype != torch.float32:
        raise TypeError(f"images are {images.dtype}; give float32 in [0, 1]")
    if images.ndim != 4 or images.shape[0] == 0 or images.shape[1] != 3:
        raise ValueError(f"images have shape {tuple(images.shape)}; give B×3×H×W with B at least 1")
    if min(images.shape[-2:]) < SMALLEST_SIDE:
        height, width = images.shape[-2:]
        raise ValueError(f"images are {height}×{width}; both sides need {SMALLEST_SIDE} pixels or more")
    low, high = (bound.item() for bound in images.aminmax())
    # Written so that NaN, which compares false with everything, is refused too.
    if not (low >= 0 and high <= 1):
        raise ValueError(f"images have values from {low:.4g} to {high:.4g}; scale them to [0, 1]")
