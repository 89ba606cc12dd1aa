"""Colour spaces in float64, written anew here: what the SDK converts is compared with it."""

from __future__ import annotations

import numpy as np
from PIL import Image
from pocketiqa import icc

Space = tuple[tuple[float, ...], float | None]
SRGB: Space = (icc.SRGB, None)
DISPLAY_P3: Space = (icc.PRIMARIES[12], None)
ADOBE_RGB: Space = (icc.ADOBE_RGB, 563 / 256)
LINEAR: Space = (icc.SRGB, 1.0)
GAMMA_18: Space = (icc.SRGB, 1.8)


def profile(space: Space, name: str = "pocketiqa") -> bytes:
    """An ICC profile of the space; the name has nine letters."""
    return icc.built("RGB", *space).replace("pocketiqa".encode("utf-16-be"), name.encode("utf-16-be"))


def stored(rgb: np.ndarray, space: Space) -> np.ndarray:
    """sRGB pixels, uint8 H×W×3, as uint8 in another space, clipped to what it can show."""
    return _bytes(_encoded(_light(rgb / 255, None) @ _change(SRGB, space).T, space[1]))


def shown(values: np.ndarray, space: Space) -> np.ndarray:
    """Pixels of a space, uint8 H×W×3, as uint8 in sRGB."""
    return _bytes(_encoded(_light(values / 255, space[1]) @ _change(space, SRGB).T, None))


def inks(rgb: np.ndarray) -> np.ndarray:
    """sRGB pixels as CMYK without a profile, uint8 H×W×4, black generated."""
    cmy = 255.0 - rgb
    black = cmy.min(-1, keepdims=True)
    return _bytes(np.concatenate([(cmy - black) / np.maximum(255 - black, 1), black / 255], -1))


def inked(cmyk: np.ndarray) -> np.ndarray:
    """CMYK without a profile as sRGB: what each ink leaves of the light."""
    left = 255.0 - cmyk
    return _bytes(left[..., :3] * left[..., 3:] / 255**2)


def over_white(rgb: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """uint8 H×W×3 behind opacity, uint8 H×W×1, over white."""
    return _bytes((rgb * (opacity / 255) + 255.0 - opacity) / 255)


def grey(rgb: np.ndarray) -> np.ndarray:
    """uint8 H×W: Pillow's luma."""
    return np.asarray(Image.fromarray(rgb).convert("L"))


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.round(np.clip(values, 0, 1) * 255).astype(np.uint8)


def _light(values: np.ndarray, gamma: float | None) -> np.ndarray:
    if gamma is not None:
        return values**gamma
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _encoded(light: np.ndarray, gamma: float | None) -> np.ndarray:
    light = np.clip(light, 0, 1)
    if gamma is not None:
        return light ** (1 / gamma)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def _change(source: Space, target: Space) -> np.ndarray:
    return np.linalg.inv(_to_xyz(target[0])) @ _to_xyz(source[0])


def _to_xyz(points: tuple[float, ...]) -> np.ndarray:
    x, y = np.array(points).reshape(4, 2).T
    colours = np.stack([x / y, np.ones(4), (1 - x - y) / y])
    return colours[:, 1:] * np.linalg.solve(colours[:, 1:], colours[:, 0])
