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
from tqdm import tqdm

from distill.data.mos_sets import MosSet, MosSetError

_RESAMPLES = 1000
_FEWEST = 5  # photos of a group


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
    """All figures for one group of n ≥ ``_FEWEST`` photos."""
    generator = np.random.default_rng(seed)
    draws = generator.integers(0, len(mos), (_RESAMPLES, len(mos)))
    low, high = np.nanquantile([srcc(scores[rows], mos[rows]) for rows in draws], (0.025, 0.975))
    return Agreement(
        group=group,
        n=len(mos),
        srcc=srcc(scores, mos),
        srcc_interval=(float(low), float(high)),
        krcc=krcc(scores, mos),
        plcc=plcc(scores, mos),
        plcc_logistic=logistic_plcc(scores, mos),
        rmse=rmse(scores, mos),
    )


def measure_accuracy(
    mos_set: MosSet, bundle: Path | None, variant: str, teacher: Path | None = None
) -> list[Agreement]:
    """Score every photo of a set; agreement pooled and within each source.

    With a ``teacher``, the run folder of a trained one, its own agreement follows, then the student's with it: there
    the teacher's scores take the place of people's.

    Raises:
        BundleError: no such bundle or variant.
        PhotoError: a photo cannot be scored; a figure over fewer photos than the set's would mislead.
        TeacherError: no trained teacher there.
    """
    if len(mos_set) < _FEWEST:
        raise MosSetError(f"{len(mos_set)} scored photos; a correlation over fewer than {_FEWEST} says nothing")
    scorer = Scorer(bundle, variant=variant)
    told = None if teacher is None else _teacher_scores(teacher, mos_set)
    scores = np.array([scorer(path).score for path in tqdm(mos_set.paths, desc="scores", unit="photo")])
    rows = _by_source("", scores, mos_set.mos, mos_set.sources)
    if told is not None:
        rows += _by_source("teacher: ", told, mos_set.mos, mos_set.sources)
        rows += _by_source("to teacher: ", scores, told, mos_set.sources)
    return rows


def _by_source(title: str, scores: np.ndarray, mos: np.ndarray, sources: np.ndarray) -> list[Agreement]:
    names, counts = np.unique(sources, return_counts=True)
    groups = {"pooled": np.ones(len(mos), dtype=bool)}
    if len(names) > 1:
        groups |= {str(name): sources == name for name, count in zip(names, counts) if count >= _FEWEST}
    return [agreement(title + name, scores[rows], mos[rows]) for name, rows in groups.items()]


def _teacher_scores(run: Path, mos_set: MosSet) -> np.ndarray:
    # The factory's stack takes seconds to import; only this needs it.
    from distill.stages.distil_student import teacher_scores
    from distill.stages.train_teacher import load_trained_teacher

    return teacher_scores(load_trained_teacher(run), mos_set, Path("runs/cache")).numpy().astype(np.float64)


def table(rows: list[Agreement]) -> str:
    """A Markdown table."""
    lines = ["| photos | n | SRCC | 95 % interval | KRCC | PLCC | PLCC, logistic | RMSE |", "| --- |" + " ---: |" * 7]
    lines += [
        f"| {r.group} | {r.n} | {r.srcc:.3f} | {r.srcc_interval[0]:.3f} to {r.srcc_interval[1]:.3f} | {r.krcc:.3f} "
        f"| {r.plcc:.3f} | {r.plcc_logistic:.3f} | {r.rmse:.3f} |"
        for r in rows
    ]
    return "\n".join(lines)
