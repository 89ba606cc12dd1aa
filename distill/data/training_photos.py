"""Photos as training reads them: each decoded once before hours are spent, and named where it cannot be used.

A photo that cannot be read stops the run. It is not left out, because the same command must not give two students on
two machines.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from pocketiqa.errors import PhotoError, one_line
from pocketiqa.preprocess import PreprocessSpec, open_photo, preprocess
from tqdm import tqdm

from distill.data.mos_sets.photo_set import MosSetError

_LISTED = 5


def read_photo(path: Path) -> Image.Image:
    """The photo as an upright 8-bit sRGB image.

    Raises:
        MosSetError: it cannot be read; the message begins with its path.
    """
    try:
        return open_photo(path)
    except PhotoError as error:
        raise MosSetError(f"{path}: {error}") from None


def network_input(path: Path, spec: PreprocessSpec) -> np.ndarray:
    """A network's input for a photo, float32 of ``spec.shape``: the file is read as ``pocketiqa`` reads it to score it.

    Raises:
        MosSetError: it cannot be read; the message begins with its path.
    """
    try:
        return preprocess(path, spec)
    except PhotoError as error:
        raise MosSetError(f"{path}: {error}") from None


def check_photos(paths: Sequence[Path], read: Callable[[Path], object] = read_photo) -> None:
    """Read every photo once, some at a time; each that cannot be used is a line on standard error.

    Args:
        paths: of the photos; one that comes twice is read once.
        read: raises MosSetError where training could not use the photo.

    Raises:
        MosSetError: some cannot be used; the first five are named, with what is wrong with each.
    """
    unique = list(dict.fromkeys(paths))

    def fault(path: Path) -> str | None:
        try:
            read(path)
        except MosSetError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = tqdm(pool.map(fault, unique), total=len(unique), desc="photos", mininterval=5)
        faults = [one for one in found if one]
    for one in faults:
        tqdm.write(one_line(one), file=sys.stderr)
    if faults:
        more = f"; and {len(faults) - _LISTED} more" if len(faults) > _LISTED else ""
        raise MosSetError(
            f"{len(faults)} of {len(unique)} training photos cannot be used; mend them, or take them away together "
            f"with their scores: {'; '.join(faults[:_LISTED])}{more}"
        )
