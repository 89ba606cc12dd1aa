"""How well a bundle's scores agree with people's, on a MOS set.

SRCC and KRCC on raw scores; PLCC raw and after the four-parameter logistic of the Video Quality Experts Group
(VQEG, "Final report … phase II", 2003); RMSE raw. Intervals are 95 % percentile bootstrap over photos. Pooled and
within each source: a pooled figure rewards telling the sources apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pocketiqa.parity import krcc, plcc, rmse, srcc
from pocketiqa.scorer import Scorer
from scipy.optimize import curve_fit
from scipy.special import expit
from tabulate import tabulate
from tqdm import tqdm

from distill.data import enough
from distill.data.enough import nothing_to_rank, warn
from distill.data.intervals import srcc_interval
from distill.data.mos_sets import MosSet, MosSetError
from distill.data.mos_sets.mos_table import read_mos_table

FEWEST = 5  # photos of a group


@dataclass(frozen=True)
class Agreement:
    """Agreement of n scores with n mean opinion scores; ``srcc_interval`` is a 95 % bootstrap interval."""

    group: str
    n: int
    srcc: float
    srcc_interval: tuple[float, float]
    krcc: float
    plcc: float
    plcc_logistic: float
    rmse: float


def logistic_plcc(scores: np.ndarray, mos: np.ndarray) -> float:
    """PLCC after fitting ``(b1 - b2) / (1 + exp(-(x - b3) / b4)) + b2``; the raw one where no fit is found."""

    def curve(x: np.ndarray, top: float, bottom: float, middle: float, width: float) -> np.ndarray:
        return (top - bottom) * expit((x - middle) / width) + bottom

    start = (mos.max(), mos.min(), scores.mean(), scores.std() / 4 + 1e-6)
    try:
        fitted, _ = curve_fit(curve, scores, mos, p0=start, maxfev=10_000)
    except RuntimeError:
        return plcc(scores, mos)
    return plcc(curve(scores, *fitted), mos)


def agreement(group: str, scores: np.ndarray, mos: np.ndarray, seed: int = 0) -> Agreement:
    """All figures for one group of n ≥ ``FEWEST`` photos with two scores and two opinions or more."""
    return Agreement(
        group=group,
        n=len(mos),
        srcc=srcc(scores, mos),
        srcc_interval=srcc_interval(scores, mos, seed=seed),
        krcc=krcc(scores, mos),
        plcc=plcc(scores, mos),
        plcc_logistic=logistic_plcc(scores, mos),
        rmse=rmse(scores, mos),
    )


def measure_accuracy(
    mos_set: MosSet, bundle: Path | None, variant: str, teacher: np.ndarray | None = None
) -> list[Agreement]:
    """Score every photo of a set; agreement pooled and within each source.

    With a ``teacher``'s scores of the n photos, its own agreement follows, then the student's with it: there the
    teacher's scores take the place of people's.

    Raises:
        BundleError: no such bundle or variant.
        PhotoError: a photo cannot be scored; a figure over fewer photos than the set's would mislead.
        MosSetError: fewer than ``FEWEST`` photos, or all have one opinion.
    """
    if len(mos_set) < FEWEST:
        raise MosSetError(f"{len(mos_set)} scored photos; a correlation over fewer than {FEWEST} says nothing")
    if reason := nothing_to_rank(mos_set.mos):
        raise MosSetError(f"no correlation can be measured over {reason}; give photos whose scores differ")
    if len(mos_set) < enough.FEWEST:
        warn(f"{len(mos_set)} scored photos; over fewer than {enough.FEWEST} a correlation is mostly chance")
    scorer = Scorer(bundle, variant=variant)
    scores = np.array([scorer(path).score for path in tqdm(mos_set.paths, desc="scores", unit="photo", disable=None)])
    rows = _by_source("", scores, mos_set.mos, mos_set.sources)
    if teacher is not None:
        rows += _by_source("teacher: ", teacher, mos_set.mos, mos_set.sources)
        rows += _by_source("to teacher: ", scores, teacher, mos_set.sources)
    return rows


def read_teacher_scores(table: Path, mos_set: MosSet) -> np.ndarray:
    """A teacher's scores of a set's photos, float64 n in [0, 1], in the set's order.

    Args:
        table: a CSV, as ``read_mos_table`` takes it, with a photo's path below any folder above it as its name. Other
            photos may be in it.
        mos_set: n photos.

    Raises:
        MosSetError: no such table, a row that cannot be read right, or no score in [0, 1] of a photo.
    """
    read = read_mos_table(table)
    rows, scores = read.rows_of(mos_set.paths), []
    for path in mos_set.paths:
        if path not in rows:
            raise MosSetError(f"{table} has no score of {path.name}; it must name every photo of the set")
        scores.append(read.score(rows[path], (0.0, 1.0)))
    return np.array(scores)


def _by_source(title: str, scores: np.ndarray, mos: np.ndarray, sources: np.ndarray) -> list[Agreement]:
    names, counts = np.unique(sources, return_counts=True)
    groups = {"pooled": np.ones(len(mos), dtype=bool)}
    if len(names) > 1:
        groups |= {str(name): sources == name for name, count in zip(names, counts) if count >= FEWEST}
    measured = []
    for name, rows in groups.items():
        if reason := nothing_to_rank(scores[rows]) or nothing_to_rank(mos[rows]):
            warn(f"{title}{name}: no figures over {reason}")
            continue
        measured.append(agreement(title + name, scores[rows], mos[rows]))
    return measured


def table(rows: list[Agreement]) -> str:
    """A Markdown table."""
    heads = ["photos", "n", "SRCC", "95 % interval", "KRCC", "PLCC", "PLCC, logistic", "RMSE"]
    cells = [
        [r.group, r.n, r.srcc, "{:.3f} to {:.3f}".format(*r.srcc_interval), r.krcc, r.plcc, r.plcc_logistic, r.rmse]
        for r in rows
    ]
    return tabulate(cells, heads, "pipe", floatfmt=".3f", colalign=("left", *["right"] * 7), disable_numparse=[0])
