"""What do severity ladders give to the teacher's kernel, a trunk's features beside CLIP's, and a mean for each source?

    python -m distill.experiments teacher-ladders --mos-folder BIQ2021 --pristine DIR [DIR ...] \
        --trunk runs/label-free-trunk/trunk.safetensors --outside SR4KIQA sr4kiqa.csv PARA para.csv

Each row fits ``distill.teacher.kernel_ridge`` to people's scores, without or with the ladders of nine tenths of the
pristine photos. It reads CLIP alone, or ImageNet's trunk beside it ("frozen"), or one that CLIP taught of no score
("taught"). "Ladders" are the other tenth's; "degraded" is the mean score of their copies at the harshest level, where
that of their clean ones is "clean". Sets outside are ranked after a fit to all sources.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import torch
from pocketiqa.parity import srcc
from tqdm import tqdm

from distill.data.degraded_photos import mean_falling
from distill.degradations.degrade import LEVELS
from distill.experiments.figures import RESAMPLES, change
from distill.experiments.kernel_fits import squared_distances
from distill.experiments.ranked_photos import read_ranked_photos
from distill.experiments.table import Table
from distill.networks.student import INPUT_SPEC, StudentFeatures, load_student
from distill.teacher.clip_int8 import Int8ClipFeatures
from distill.teacher.kernel_ridge import RANKING, WIDTH, add_source_means, ridge_weights
from distill.training.feature_sets import ladder_features
from distill.training.features import LadderFeatures
from distill.training.frozen_features import PooledFeatures, features_of_photos
from distill.training.frozen_trunk import FrozenTrunk


@dataclass(frozen=True)
class TeacherLaddersConfig:
    """What is compared.

    Attributes:
        mos_folder: BIQ2021's folder.
        pristine: folders of undistorted photos.
        outside: folders and tables (``name,mos``, on any scale) of photos that nothing is fitted to.
        trunk: weights that ``label-free-trunk`` kept; without them no row reads that trunk.
        rows: only rows whose name contains one of these, beside the first, which all are compared with.
        limit: so many photos of BIQ2021 at most, beside its validation part; for a trial run.
        cache: where features are kept.
        seed: of ladders and resamples.
        csv: also write the rows there.
    """

    mos_folder: Path
    pristine: list[Path]
    outside: list[tuple[Path, Path]] = field(default_factory=list)
    trunk: Path | None = None
    rows: list[str] | None = None
    limit: int | None = None
    cache: Path = Path("runs/cache")
    seed: int = 0
    csv: Path | None = None


FROZEN, TAUGHT = "frozen", "taught"


@dataclass(frozen=True)
class _Row:
    """A fit: which trunk it reads, what a pair of its ladders counts (0 for none), and how far sources' means vary."""

    trunk: str = ""
    ranking: float = RANKING
    variance: float = 0.0


_ROWS = {
    "photos alone": _Row(ranking=0),
    "and ladders": _Row(),
    "and ladders, a pair × 3": _Row(ranking=3 * RANKING),
    "and ladders, a pair × 10": _Row(ranking=10 * RANKING),
    "photos alone, the frozen trunk too": _Row(FROZEN, ranking=0),
    "and ladders, the frozen trunk too": _Row(FROZEN),
    "the frozen trunk, sources' means vary by 0.0006": _Row(FROZEN, variance=6e-4),
    "the frozen trunk, sources' means vary by 0.001": _Row(FROZEN, variance=1e-3),
    "and ladders, the taught trunk too": _Row(TAUGHT),
    "the taught trunk, sources' means vary by 0.0006": _Row(TAUGHT, variance=6e-4),
    "the taught trunk, sources' means vary by 0.0018": _Row(TAUGHT, variance=1.8e-3),
}


def _chosen(config: TeacherLaddersConfig) -> dict[str, _Row]:
    first, asked = next(iter(_ROWS)), config.rows
    return {
        name: row
        for name, row in _ROWS.items()
        if (row.trunk != TAUGHT or config.trunk)
        and (asked is None or name == first or any(part in name for part in asked))
    }


def measure_teacher_ladders(config: TeacherLaddersConfig) -> Table:
    """One row a fit.

    Raises:
        MosSetError: a folder, a table or a photo is missing.
        ClipTowerError: CLIP's weights are missing.
    """
    photos = read_ranked_photos(config.mos_folder, config.pristine, config.outside, config.limit, config.seed)
    mos, sources, outside = photos.scored.mos, photos.scored.sources, photos.outside
    names, n = np.unique(sources), len(photos.scored)

    def apart(network: PooledFeatures) -> tuple[torch.Tensor, LadderFeatures]:
        """Distances of all photos to those that teach, and the ladders that do."""
        known = features_of_photos(photos.scored.paths, network, config.cache, photos.scored.name)
        ladders = ladder_features(photos.copies, network, config.cache)
        learnt = ladders.without(photos.unlearnt)
        others = [features_of_photos(one.paths, network, config.cache, name) for name, one in outside.items()]
        teaching, asked = torch.cat([known, learnt.features]), [ladders.features[photos.unlearnt], *others]
        return squared_distances(teaching, [teaching, *asked], over=n), learnt

    by_clip, ladders = apart(Int8ClipFeatures())

    @cache
    def by_both(trunk: str) -> torch.Tensor:
        student = load_student(config.trunk) if trunk == TAUGHT else None
        return (by_clip + apart(FrozenTrunk(StudentFeatures(student), INPUT_SPEC))[0]) / 2

    sizes = [int(photos.unlearnt.sum()), *map(len, outside.values())]
    levels = np.array([copy.level for copy in photos.judged])
    clean, harshest = levels == 0, levels == max(LEVELS)

    def scores(row: _Row, kernel: torch.Tensor, seen: np.ndarray) -> np.ndarray:
        """Of every photo of ``kernel``'s rows, by a fit to the scored photos under the mask."""
        teaching = np.concatenate([np.flatnonzero(seen), np.arange(n, kernel.shape[1])])
        wanted = torch.from_numpy(mos[seen]).float()
        middle = wanted.mean()
        pairs = ladders.pairs + int(seen.sum()) if row.ranking else ladders.pairs[:0]
        own = kernel[teaching][:, teaching]
        if row.variance:
            add_source_means(own, sources[seen], row.variance)
        weight = ridge_weights(own, wanted - middle, pairs, row.ranking or RANKING)
        return (kernel[:, teaching] @ weight + middle).numpy()

    table = Table(
        "fitted to",
        [*(f"out {name}" for name in names), "mean out", "change", "ladders", "clean", "degraded", *outside]
        + (["change outside"] if outside else []),
        f"{photos}; {RESAMPLES} resamples.",
    )
    first: tuple[list[np.ndarray], list[np.ndarray]] | None = None
    for name, row in tqdm(_chosen(config).items(), desc="rows"):
        kernel = torch.exp(-WIDTH * (by_both(row.trunk) if row.trunk else by_clip))
        here = [sources == source for source in names]
        left_out = [scores(row, kernel, ~part)[:n][part] for part in here]
        copies, *beyond = np.split(
            scores(row, kernel, np.ones(n, dtype=bool))[kernel.shape[1] :], np.cumsum(sizes)[:-1]
        )
        first = first or (left_out, beyond)
        own = [srcc(score, mos[part]) for score, part in zip(left_out, here)]
        opinions = [one.mos for one in outside.values()]
        cells = [*own, float(np.mean(own)), change([mos[part] for part in here], first[0], left_out, config.seed)]
        cells += [mean_falling(photos.judged, copies), float(copies[clean].mean()), float(copies[harshest].mean())]
        cells += [srcc(score, of_set) for score, of_set in zip(beyond, opinions)]
        table.rows[name] = cells + ([change(opinions, first[1], beyond, config.seed)] if outside else [])
    return table
