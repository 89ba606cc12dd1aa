"""Features of a network that does not learn, computed once a photo and kept on disk: an epoch costs seconds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from pocketiqa.files import atomic_file
from pocketiqa.preprocess import PreprocessSpec
from tqdm import tqdm

from distill.data.training_photos import network_input
from distill.training.run_folder import RunError, TrainingStopped

_AHEAD = 32  # inputs prepared while the network runs
_SAVED_EVERY = 500  # inputs; what an interrupted run keeps


class PooledFeatures(Protocol):
    """A network whose weights stay.

    Attributes:
        input: how a photo becomes its views.
        fingerprint: of all that the features depend on, the photo apart.
    """

    input: PreprocessSpec
    fingerprint: str

    def __call__(self, views: np.ndarray) -> np.ndarray:
        """One photo's views V×3×H×W, float32 in [0, 1], to its features, float32 of one dimension."""


def frozen_features(
    network: PooledFeatures, names: list[str], prepare: Callable[[str], np.ndarray], cache: Path, title: str
) -> np.ndarray:
    """Float16 n×d features for ``names``, from ``cache`` where they are already there.

    A run that was stopped goes on where it was last saved.

    Args:
        network: whose features.
        names: one per input; they and the network's fingerprint are the cache's key.
        prepare: from a name to the network's input.
        cache: a folder.
        title: of the progress bar and of the cache's file.

    Raises:
        RunError: what the cache holds is damaged.
        TrainingStopped: the cache cannot be written.
    """
    key = hashlib.sha256("\n".join([network.fingerprint, *names]).encode()).hexdigest()[:16]
    file = cache / f"{title}-{key}.npy"
    if file.is_file():
        return _load(file)
    cache.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial.npy")
    rows = list(_load(partial)) if partial.is_file() else []
    rest = names[len(rows) :]
    for views in tqdm(_ahead(prepare, rest), total=len(rest), desc=title, mininterval=5):
        rows.append(network(views).astype(np.float16))
        if len(rows) % _SAVED_EVERY == 0:
            _save(rows, partial)
    _save(rows, file)
    partial.unlink(missing_ok=True)
    return np.load(file, mmap_mode="r")


def features_of_photos(paths: list[Path], network: PooledFeatures, cache: Path, title: str) -> torch.Tensor:
    """Float32 n×d features of whole photos; ``cache`` and ``title`` as above."""
    return features_of({str(path): path for path in paths}, network_input, network, cache, title)


def features_of(
    named: dict[str, Any],
    prepare: Callable[[Any, PreprocessSpec], np.ndarray],
    network: PooledFeatures,
    cache: Path,
    title: str,
) -> torch.Tensor:
    """Float32 n×d features of what ``prepare`` makes a network's input of, by its name; ``cache`` and ``title`` as
    above.
    """

    def views(name: str) -> np.ndarray:
        return prepare(named[name], network.input)

    features = frozen_features(network, list(named), views, cache, title)
    return torch.from_numpy(np.asarray(features, dtype=np.float32))


def _load(file: Path) -> np.ndarray:
    try:
        return np.load(file, mmap_mode="r")
    except (ValueError, EOFError) as error:
        raise RunError(f"{file} is damaged ({error}); delete it, and its features are computed again") from None


def _save(rows: list[np.ndarray], file: Path) -> None:
    try:
        with atomic_file(file, "wb") as stream:
            np.save(stream, np.stack(rows))
    except OSError as error:
        raise TrainingStopped(
            f"{file} cannot be written: {error.strerror or error}; make room and start the same command again: "
            "features that were saved before are kept"
        ) from None


def _ahead(prepare: Callable[[str], np.ndarray], names: list[str]) -> Iterable[np.ndarray]:
    """``map(prepare, names)`` with a few results prepared in threads while the caller works."""
    remaining = iter(names)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(prepare, name) for name in islice(remaining, _AHEAD)]
        while waiting:
            yield waiting.pop(0).result()
            waiting += [pool.submit(prepare, name) for name in islice(remaining, 1)]
