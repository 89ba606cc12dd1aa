"""Do two programs give the same scores? Correlations, differences and rank flips, in numpy only.

    report = compare(float_scores, int8_scores, names)
    print(report)
    print(report.broken(ANY_NETWORK))

SRCC is Pearson's correlation of average ranks; KRCC is Kendall's tau-b (Kendall, "The treatment of ties in
ranking problems", Biometrika 33, 1945). A correlation with a constant column is not defined: NaN.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pocketiqa.promises import ANY_NETWORK, CLEAR_DIFFERENCE, Promise


def ranks(values: ArrayLike) -> np.ndarray:
    """Ranks from 1, ties sharing their average; float64 of shape (n,)."""
    _, group, sizes = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    last = np.cumsum(sizes)
    return (last - (sizes - 1) / 2)[group]


def plcc(x: ArrayLike, y: ArrayLike) -> float:
    """Pearson's linear correlation in [-1, 1]; NaN when either is constant or n < 2."""
    x, y = _pair(x, y)
    if len(x) < 2:
        return math.nan
    x, y = x - x.mean(), y - y.mean()
    scale = math.sqrt(float(x @ x)) * math.sqrt(float(y @ y))
    return float(np.clip(x @ y / scale, -1, 1)) if scale > 0 else math.nan


def srcc(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman's rank correlation in [-1, 1], ties by average rank; NaN when either is constant or n < 2."""
    x, y = _pair(x, y)
    return plcc(ranks(x), ranks(y))


def krcc(x: ArrayLike, y: ArrayLike) -> float:
    """Kendall's tau-b in [-1, 1]; NaN when either is constant or n < 2. Time grows with n², memory with n."""
    x, y = _pair(x, y)
    concordance = x_untied = y_untied = 0.0
    for i in range(len(x) - 1):
        above_x, above_y = np.sign(x[i + 1 :] - x[i]), np.sign(y[i + 1 :] - y[i])
        concordance += float(above_x @ above_y)
        x_untied += np.count_nonzero(above_x)
        y_untied += np.count_nonzero(above_y)
    scale = math.sqrt(x_untied) * math.sqrt(y_untied)
    return concordance / scale if scale > 0 else math.nan


def rmse(x: ArrayLike, y: ArrayLike) -> float:
    """Root of the mean squared difference, in the scores' unit."""
    x, y = _pair(x, y)
    return float(np.sqrt(np.mean((x - y) ** 2))) if len(x) else math.nan


def flip_rate(x: ArrayLike, y: ArrayLike) -> float:
    """Share of pairs, in [0, 1], that ``x`` orders strictly one way and ``y`` strictly the other."""
    x, y = _pair(x, y)
    pairs = len(x) * (len(x) - 1) // 2
    flips = sum(
        int(np.count_nonzero(np.sign(x[i + 1 :] - x[i]) * np.sign(y[i + 1 :] - y[i]) < 0))
        for i in range(len(x) - 1)
    )
    return flips / pairs if pairs else 0.0


def clear_flips(reference: ArrayLike, candidate: ArrayLike) -> float:
    """Share, in [0, 1], of the pairs that ``reference`` orders by ``promises.CLEAR_DIFFERENCE`` or more which
    ``candidate`` orders the other way; 0 where no pair is that far apart. Memory grows with n."""
    x, y = _pair(reference, candidate)
    clear = flipped = 0
    for i in range(len(x)):
        is_clear = x[i] - x >= CLEAR_DIFFERENCE
        clear += int(np.count_nonzero(is_clear))
        flipped += int(np.count_nonzero(is_clear & (y[i] < y)))
    return flipped / clear if clear else 0.0


@dataclass(frozen=True)
class ParityReport:
    """How a candidate's n scores stand to the reference's.

    ``bias`` is the mean of candidate − reference; ``worst`` holds (name, reference, candidate) by falling
    |difference|; ``flip_rate`` counts every pair, ``clear_flips`` those that the reference clearly orders;
    ``unique_share`` is the candidate's share of different values.
    """

    n: int
    srcc: float
    plcc: float
    krcc: float
    rmse: float
    max_abs: float
    mean_abs: float
    bias: float
    flip_rate: float
    clear_flips: float
    unique_share: float
    worst: list[tuple[str, float, float]]

    def broken(self, promise: Promise = ANY_NETWORK) -> list[str]:
        """One line for every bound of ``promise`` that is not kept; NaN keeps none."""
        figures = {name: getattr(self, name) for name in ("srcc", "mean_abs", "max_abs", "bias")}
        return promise.broken(self.n, figures | {"flips": self.clear_flips, "unique": self.unique_share})

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; a NaN becomes None."""
        values = {
            key: None if isinstance(value, float) and math.isnan(value) else value
            for key, value in asdict(self).items()
        }
        values["worst"] = [dict(zip(("name", "reference", "candidate"), case)) for case in self.worst]
        return values

    def __str__(self) -> str:
        rows = [
            ("n", f"{self.n}"), ("SRCC", f"{self.srcc:.4f}"), ("PLCC", f"{self.plcc:.4f}"),
            ("KRCC", f"{self.krcc:.4f}"), ("RMSE", f"{self.rmse:.5f}"), ("max |Δ|", f"{self.max_abs:.5f}"),
            ("mean |Δ|", f"{self.mean_abs:.5f}"), ("bias", f"{self.bias:+.5f}"),
            ("rank flips", f"{self.flip_rate:.2%}"), ("clear flips", f"{self.clear_flips:.2%}"),
            ("unique", f"{self.unique_share:.2%}"),
        ]  # fmt: skip
        lines = [f"{name:<12}{value:>10}" for name, value in rows]
        for name, reference, candidate in self.worst:
            lines.append(f"worst  {reference:.4f} → {candidate:.4f}  {candidate - reference:+.4f}  {name}")
        return "\n".join(lines)


def compare(
    reference: ArrayLike, candidate: ArrayLike, names: list[str] | None = None, worst: int = 5
) -> ParityReport:
    """Compare a candidate's scores with the reference's, photo by photo.

    Args:
        reference, candidate: n ≥ 1 finite scores each.
        names: of the photos, for the worst cases; their numbers otherwise.
        worst: how many of the largest differences to keep.

    Raises:
        ValueError: different lengths, no scores, or one that is not finite.
    """
    x, y = _pair(reference, candidate)
    names = [str(i) for i in range(len(x))] if names is None else [str(name) for name in names]
    if not len(x):
        raise ValueError("no scores to compare; give at least one photo")
    if len(names) != len(x):
        raise ValueError(f"{len(names)} names for {len(x)} scores; give one each")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("scores must be finite; leave out photos that could not be scored")
    gap = y - x
    order = np.argsort(-np.abs(gap), kind="stable")[:worst]
    return ParityReport(
        n=len(x),
        srcc=srcc(x, y),
        plcc=plcc(x, y),
        krcc=krcc(x, y),
        rmse=rmse(x, y),
        max_abs=float(np.abs(gap).max()),
        mean_abs=float(np.abs(gap).mean()),
        bias=float(gap.mean()),
        flip_rate=flip_rate(x, y),
        clear_flips=clear_flips(x, y),
        unique_share=len(np.unique(y)) / len(y),
        worst=[(names[i], float(x[i]), float(y[i])) for i in order],
    )


def _pair(x: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"two vectors of one length are compared, not shapes {x.shape} and {y.shape}")
    return x, y
