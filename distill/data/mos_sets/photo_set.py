"""What every MOS data set becomes once it is read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

VALIDATION_SHARE = 0.1  # of a set, left out of training by ``split_by_hash``


class MosSetError(ValueError):
    """A data set is missing or is not what its name promises; the message says what to download."""


@dataclass(frozen=True)
class MosSet:
    """Photos with mean opinion scores.

    Attributes:
        name: of the set.
        paths: of the photos, n of them.
        mos: float64 n, in [0, 1], higher is better.
        sources: n names; photos of one source were taken or collected in one way. Scores of different sources
            correlate with the source itself, so figures are given within sources as well.
    """

    name: str
    paths: list[Path]
    mos: np.ndarray
    sources: np.ndarray

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, chosen: np.ndarray) -> MosSet:
        """The photos at the positions, or under the mask, ``chosen``."""
        positions = np.arange(len(self))[chosen]
        paths = [self.paths[position] for position in positions]
        return MosSet(self.name, paths, self.mos[positions], self.sources[positions])

    def digest(self) -> str:
        """sha256 over names and scores: which data made a student."""
        rows = sorted(f"{path.name},{score:.6f}" for path, score in zip(self.paths, self.mos))
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def split_by_hash(paths: list[Path], share: float) -> np.ndarray:
    """A mask over ``paths`` that holds about ``share`` of them, the same on every machine and in every order."""
    digests = [hashlib.sha256(path.name.encode()).digest() for path in paths]
    return np.array([int.from_bytes(digest[:4], "big") / 2**32 < share for digest in digests])
