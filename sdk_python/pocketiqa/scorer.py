"""Score photos with a bundle.

    scorer = Scorer()
    print(scorer("photo.jpg").score)
    for result in scorer.batch(paths):
        print(result.path, result.score, result.error)

A result says which runtime scored, because two runtimes need not agree in the last bit.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pocketiqa.ahead import done_ahead
from pocketiqa.bundle import Bundle
from pocketiqa.errors import PhotoError, PocketiqaError, RuntimeUnavailable, one_line
from pocketiqa.explanation import Explanation, explain
from pocketiqa.limits import PhotoLimits
from pocketiqa.loading import load_variant, variant_for
from pocketiqa.photo import Photo, read_photo
from pocketiqa.preprocess import input_of


@dataclass(frozen=True)
class Result:
    """What one photo got.

    Attributes:
        path: of the photo, or None for bytes, an image or an array.
        score: overall quality in [0, 1], higher is better; None when ``error`` is set.
        attributes: by name, each in [0, 1], higher is better (noise 1: noise-free); empty with ``error``.
        map: float32 h×w in [0, 1], local quality over the whole photo; None where the program has none.
        runtime: which runtime scored, e.g. ``executorch 1.5.1``.
        error: why the photo could not be scored, on one line; None when it was.
        width, height: in pixels, of the picture in the file, upright; None with ``error``.
        warning: why the score may not be the photo's, on one line, such as damage; None when all is well.
    """

    path: str | None
    score: float | None
    attributes: dict[str, float]
    map: np.ndarray | None
    runtime: str
    error: str | None = None
    width: int | None = None
    height: int | None = None
    warning: str | None = None

    def explain(self) -> Explanation:
        """Which part of the photo gave the score.

        Raises:
            PocketiqaError: the photo could not be scored, or the network has no map that its score is made of.
        """
        if self.error is not None:
            raise PocketiqaError(f"{self.path or 'the photo'}: {self.error}")
        if self.map is None:
            raise PocketiqaError("this network gives no map, so nothing says which part of the photo gave the score")
        return explain(self.score, self.map)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, the map as nested lists."""
        return {**vars(self), "map": None if self.map is None else self.map.tolist()}


class _Prepared(NamedTuple):
    """A photo's input, and what its result says of the photo."""

    x: np.ndarray
    width: int
    height: int
    warning: str | None


class Scorer:
    """Scores photos with one program of a bundle.

    One ``Scorer`` may be used from many threads: photos are decoded side by side, the program runs one photo
    at a time on all threads of the process's pool. It may be carried into other processes by a fork, or by
    pickling, which loads the program again.

    Args:
        bundle: a bundle's folder or packed file, an opened ``Bundle``, or None for the one shipped in this package.
        variant: ``int8`` or ``fp32``, or another of the bundle's programs by name.
        threads: worker threads of the process's pool (shared by all scorers); None leaves it to the runtime.
        limits: what a photo may cost before it is refused.
        runtime: package name of the runtime to use, see ``pocketiqa.runtime``; with ``onnxruntime`` or ``openvino`` the
            bundle's ``.onnx`` file of ``variant`` scores, after it scored one golden photo right.
        strict: refuse a photo whose result would have a ``warning``.

    Attributes:
        program: the loaded program, of the bytes that were compared with the manifest.

    Raises:
        BundleError: no such bundle or variant, or a file that is not what its hash promises.
        RuntimeUnavailable: no runtime is installed, or it cannot load the program.
    """

    def __init__(
        self,
        bundle: str | Path | Bundle | None = None,
        variant: str = "int8",
        threads: int | None = None,
        *,
        limits: PhotoLimits | None = None,
        runtime: str | None = None,
        strict: bool = False,
    ) -> None:
        self.bundle = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
        self.variant = variant_for(self.bundle, variant, runtime)
        self.limits = limits or PhotoLimits()
        self.strict = strict
        self._arguments = (threads, runtime)
        self.program = load_variant(self.bundle, self.variant, threads, runtime)

    @property
    def runtime_name(self) -> str:
        """Which runtime scores, e.g. ``executorch-numpy-runtime 1.4.0``."""
        return self.program.runtime_name

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Of the attributes in each result, in order."""
        return self.bundle.manifest.attribute_names

    def __call__(self, photo: Photo) -> Result:
        """Score one photo: a path, the bytes of an encoded file, a PIL image, or a uint8 array of shape H×W×3 in
        RGB order.

        Raises:
            PhotoError: the photo is unreadable, of a wrong type or outside the limits.
            RuntimeUnavailable: the program failed.
        """
        try:
            return self._score(photo)
        except PhotoError as error:
            path = _path_of(photo)
            raise PhotoError(f"{path}: {error}" if path else str(error)) from error

    def _score(self, photo: Photo) -> Result:
        return self._run(photo, self._prepare(photo))

    def _prepare(self, photo: Photo) -> _Prepared:
        spec = self.bundle.manifest.input
        picture = read_photo(photo, self.limits, spec.enough)
        if picture.warning and self.strict:
            raise PhotoError(picture.warning)
        x = input_of(picture, spec)
        return _Prepared(x, picture.width, picture.height, picture.warning)

    def _run(self, photo: Photo, prepared: _Prepared) -> Result:
        quality, *maps = self.program.run(prepared.x)
        if not np.isfinite(quality).all():
            raise RuntimeUnavailable(f"{self.runtime_name} gave a score that is no number; verify the bundle")
        score, *attributes = (float(value) for value in quality[0])
        return Result(
            path=_path_of(photo),
            score=score,
            attributes=dict(zip(self.attribute_names, attributes)),
            map=maps[0][0] if maps else None,
            runtime=self.runtime_name,
            width=prepared.width,
            height=prepared.height,
            warning=prepared.warning,
        )

    def batch(self, photos: Iterable[Photo], workers: int = 1) -> Iterator[Result]:
        """Score photos in their order as they arrive; a photo that cannot be scored gets an ``error``.

        Args:
            photos: paths, bytes, images or arrays. No more than ``workers`` + 1 are taken ahead of the result that is
                asked for.
            workers: threads that decode and preprocess files and bytes ahead while the program runs. Each needs the
                memory of one decoded photo. 1: nothing is done ahead. The scores are the same to the bit. Images and
                arrays are preprocessed as they come, before the next is taken: their owner may change them then.

        Raises:
            ValueError: ``workers`` is no integer of 1 or more.
        """
        if type(workers) is not int or workers < 1:
            raise ValueError(f"workers is {workers!r}; it must be an integer of 1 or more")
        return self._batch(photos, workers)

    def _batch(self, photos: Iterable[Photo], workers: int) -> Iterator[Result]:
        ahead = done_ahead(self._prepare, photos, workers, at_once=_may_change)
        with contextlib.closing(ahead):
            for photo, prepared in ahead:
                try:
                    yield self._run(photo, prepared())
                except (PhotoError, RuntimeUnavailable) as error:
                    yield Result(_path_of(photo), None, {}, None, self.runtime_name, one_line(error))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "program"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.program = load_variant(self.bundle, self.variant, *self._arguments)


def _path_of(photo: object) -> str | None:
    return os.fsdecode(photo) if isinstance(photo, (str, os.PathLike)) else None


def _may_change(photo: object) -> bool:
    return not isinstance(photo, (str, os.PathLike, bytes))
