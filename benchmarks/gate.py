"""Does a gate keep its promise, and what does it catch? Photos are good where people's mean opinion reaches a line.

The gate stands beside single thresholds: the network's score, the variance of the Laplacian (how sharp: Pech-Pacheco et
al., "Diatom autofocusing in brightfield microscopy", 2000) and metrics of a user's own. Each of them is chosen with
hindsight, to refuse as many of the good photos as the gate does.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pocketiqa.binomial import interval
from pocketiqa.gate import Gate
from pocketiqa.preprocess import open_photo
from pocketiqa.scorer import Scorer
from scipy.ndimage import laplace
from tabulate import tabulate
from tqdm import tqdm

from distill.data.mos_sets import MosSet, MosSetError


@dataclass(frozen=True)
class Refusals:
    """How many of ``good`` and of ``bad`` photos a gate refuses; ``needs`` says in words what it asks for."""

    name: str
    needs: str
    good: int
    good_refused: int
    bad: int
    bad_refused: int


def values_of(photos: MosSet, scorer: Scorer) -> np.ndarray:
    """Score and attributes of n photos, float64 n×(1 + attributes).

    Raises:
        PhotoError: a photo cannot be scored.
    """
    results = map(scorer, _with_bar(photos.paths, "scores"))
    return np.array([[result.score, *result.attributes.values()] for result in results])


def laplacian_variances(photos: MosSet) -> np.ndarray:
    """Of the luma of n photos in [0, 255], float64 n; higher is sharper."""
    images = (open_photo(path).convert("L") for path in _with_bar(photos.paths, "Laplacian"))
    return np.array([laplace(np.asarray(image, dtype=np.float64)).var() for image in images])


def read_metric(table: Path, column: str, photos: MosSet) -> np.ndarray:
    """A metric of n photos, float64 n, higher is better, from a CSV with the columns ``name`` and ``column``; NaN where
    the table does not name the photo.

    Raises:
        MosSetError: no number in the table.
    """
    with table.open(newline="", encoding="utf-8-sig") as stream:
        cells = {row["name"]: row[column] for row in csv.DictReader(stream)}
    try:
        return np.array([float(cells.get(path.name, "nan")) for path in photos.paths])
    except ValueError as error:
        raise MosSetError(f"{table}, column {column}: {error}; give numbers, higher is better") from None


def metrics_in(table: Path) -> list[str]:
    """The columns of a table of metrics but ``name``.

    Raises:
        MosSetError: no such table, or no column ``name``.
    """
    if not table.is_file():
        raise MosSetError(f"no table {table}; --others takes a CSV with the column name and a column a metric")
    with table.open(newline="", encoding="utf-8-sig") as stream:
        columns = list(csv.DictReader(stream).fieldnames or ())
    if "name" not in columns:
        raise MosSetError(f"{table} needs a first line with the column name, and a column a metric")
    return [name for name in columns if name != "name"]


def refusals_of_gate(
    name: str, gate: Gate, values: np.ndarray, is_good: np.ndarray, measures: tuple[str, ...]
) -> Refusals:
    """What a gate refuses of n photos, by their values n×m of the measures."""
    rows = [dict(zip(measures, map(float, row))) for row in values]
    refused = np.array([not gate.decide_values(row).accepted for row in rows])
    needs = ", ".join(f"{threshold.measure} {threshold.least:.3f}" for threshold in gate.thresholds)
    return _counted(name, needs, refused, is_good)


def refusals_of_metric(name: str, metric: np.ndarray, is_good: np.ndarray, share: float) -> Refusals:
    """What the best single threshold on a metric refuses: chosen with hindsight, on the photos that it is measured on.

    Args:
        name: of the metric.
        metric: n values, higher is better; photos whose value is NaN are left out.
        is_good: bool n.
        share: of good photos, that it may refuse.
    """
    known = np.isfinite(metric)
    metric, is_good = metric[known], is_good[known]
    good = np.sort(metric[is_good])
    threshold = good[math.floor(share * len(good))]
    return _counted(name, f"{threshold:.4g}", metric < threshold, is_good)


def table(rows: Iterable[Refusals]) -> str:
    """A Markdown table, shares with their 95 % intervals of Clopper and Pearson."""
    cells = [
        (row.name, row.needs, _share(row.good_refused, row.good), _share(row.bad_refused, row.bad)) for row in rows
    ]
    return tabulate(cells, ("gate", "needs", "good refused", "bad refused"), "pipe", disable_numparse=True)


def _counted(name: str, needs: str, refused: np.ndarray, is_good: np.ndarray) -> Refusals:
    good, bad = refused[is_good], refused[~is_good]
    return Refusals(name, needs, len(good), int(good.sum()), len(bad), int(bad.sum()))


def _share(k: int, n: int) -> str:
    if not n:
        return "none there"
    low, high = interval(k, n)
    return f"{k} of {n}: {k / n:.2%} ({low:.2%} to {high:.2%})"


def _with_bar(paths: list[Path], what: str) -> Iterable[Path]:
    return tqdm(paths, desc=what, unit="photo", disable=None)
