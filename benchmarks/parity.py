"""Does a program score the golden photos on a device as the bundle's manifest expects?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pocketiqa.bundle import Bundle
from pocketiqa.preprocess import preprocess

from benchmarks.engines.base import GoldenInput
from benchmarks.record import ParityCheck


def prepare_golden(bundle: Bundle, folder: Path) -> list[GoldenInput]:
    """Preprocess the bundle's golden photos, as verified bytes, on this machine into raw float32 files of ``folder``.

    Raises:
        BundleError: a photo is not what its hash promises.
    """
    golden = []
    for i, photo in enumerate(bundle.golden):
        x = preprocess(bundle.read(photo), bundle.manifest.input)
        x.astype("<f4").tofile(folder / f"{i}.bin")
        golden.append(GoldenInput(photo, folder / f"{i}.bin", x.shape))
    return golden


def check_parity(
    expected: dict[str, list[float]], got: dict[str, list[float]], tolerance: float, names: Sequence[str]
) -> ParityCheck:
    """Compare the outputs ``got`` for the golden photos with the ``expected`` ones.

    Args:
        expected, got: by photo, k values in [0, 1].
        tolerance: the largest difference of any of them.
        names: of the k outputs, the score first.
    """
    check = ParityCheck(False, len(got), 1.0, tolerance, False, outputs={p: _numbers(v) for p, v in got.items()})
    if missing := sorted(set(expected) - set(got)):
        check.worst = f"{missing[0]}: no output"
        return check
    for photo in expected:
        if len(got[photo]) != len(names) or not np.isfinite(np.float32(got[photo])).all():
            check.worst = f"{photo}: expected {len(names)} numbers, got {got[photo]}"
            return check
    wanted, found = (np.float32([values[photo] for photo in expected]) for values in (expected, got))
    differences = np.abs(wanted.astype(float) - found)
    row, column = np.unravel_index(differences.argmax(), differences.shape)
    check.photos, check.max_difference = len(expected), float(differences.max())
    check.passed, check.bit_identical = check.max_difference <= tolerance, bool((wanted == found).all())
    check.differences = dict(zip(names, differences.max(axis=0).tolist()))
    if check.max_difference > 0:
        check.worst = (
            f"{list(expected)[row]}, {names[column]}: expected {wanted[row, column]:.6g}, got {found[row, column]:.6g}"
        )
    return check


def _numbers(values: list[float]) -> list[float | None]:
    """What is no finite number has no form in JSON."""
    return [value if math.isfinite(value) else None for value in values]
