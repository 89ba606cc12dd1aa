"""What helps on photos of a source that was never seen: one row a measure, frozen features, left-out sources.

    python -m distill ablation --mos-folder DIR --pristine DIR [DIR ...] [--beyond-images DIR --beyond-mos CSV]

Every row fits a score head to two of BIQ2021's three sources and ranks the third; intervals are bootstrapped over its
photos. "In" is the mean SRCC within each source of a held-out tenth, "kinds" the mean SRCC over six kinds of photos
(``photo_kinds.py``), each left out in turn: three views of the same question, all on the train split. "Ladders" is the
mean rank correlation of level and score along ladders of pristine photos that no head saw. The teacher is the packaged
one, its projection fitted to the opinions of the same two sources: its targets never know the third either. "To
teacher" is the mean SRCC between a student and its teacher on the sources that neither saw.

"Beyond" is another set, whose scores no row is fitted to: there a row is fitted to all three sources. Leaving one out
cannot reward what tells photos of several kinds apart, since it ranks within one source and learns from two.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from pocketiqa.parity import srcc
from tqdm import tqdm

from distill.data.consistency import falling
from distill.data.degraded_photos import CLEAN, DegradedPhoto, pristine_photos, severity_ladders
from distill.data.mos_sets import MosSetError, read_biq2021, read_scored_photos, split_by_hash
from distill.experiments.ablation_rows import Room, rows
from distill.experiments.photo_kinds import kinds_of_photos
from distill.heads.frozen_features import FrozenTrunk, StudentFeatures, ladders_of, opinions_of
from distill.heads.linear import Ladders
from distill.teacher.packaged import Lite2Features

KINDS_PER_PHOTO = 2  # ladders of each pristine photo, for both trunks
_RESAMPLES = 500


@dataclass(frozen=True)
class AblationConfig:
    """What the table is measured on.

    Attributes:
        mos_folder: a checkout of BIQ2021.
        pristine: folders of undistorted photos.
        rows: only rows whose name contains one of these; all by default.
        beyond_images: photos of another campaign, for a column of their own.
        beyond_mos: their scores, a CSV with the columns name and score (or mos).
        beyond_scale: the worst and the best score there can be in it.
        cache: where features are kept.
        seed: of ladders and resamples.
    """

    mos_folder: Path
    pristine: list[Path]
    rows: list[str] | None = None
    beyond_images: Path | None = None
    beyond_mos: Path | None = None
    beyond_scale: tuple[float, float] = (0.0, 1.0)
    cache: Path = Path("runs/cache")
    seed: int = 0


def measure_ablation(config: AblationConfig) -> str:
    """A Markdown table; a cell is SRCC and half its 95 % interval.

    Raises:
        MosSetError: no BIQ2021, no photos, or only one of the set beyond's images and scores.
    """
    mos_set = read_biq2021(config.mos_folder, "train")
    if (config.beyond_images is None) != (config.beyond_mos is None):
        raise MosSetError("another set takes both: give --beyond-images with --beyond-mos")
    beyond = None
    if config.beyond_images is not None and config.beyond_mos is not None:
        beyond = read_scored_photos(config.beyond_images, config.beyond_mos, scale=config.beyond_scale)
    photos = pristine_photos(config.pristine)
    copies = severity_ladders(photos, KINDS_PER_PHOTO, config.seed)
    kept = split_by_hash([copy.photo for copy in copies], 0.1)

    @cache
    def rooms(name: str) -> Room:
        trunk = FrozenTrunk({"student": StudentFeatures, "teacher": Lite2Features}[name]())

        @cache
        def split_ladders() -> tuple[Ladders, torch.Tensor]:
            whole = ladders_of(photos, KINDS_PER_PHOTO, config.seed, trunk, config.cache)
            return without(whole, kept), whole.features[kept]

        return Room(
            opinions_of(mos_set, trunk, config.cache),
            split_ladders,
            None if beyond is None else opinions_of(beyond, trunk, config.cache),
        )

    held_out = [copy for copy, out in zip(copies, kept) if out]
    tenth = split_by_hash(mos_set.paths, 0.1)
    kind = kinds_of_photos(rooms("student").opinions.features, config.seed)
    sources = [str(name) for name in np.unique(mos_set.sources)]
    chosen = {
        name: row for name, row in rows().items() if config.rows is None or any(part in name for part in config.rows)
    }
    columns = [*(f"out {name}" for name in sources), "in", "kinds", "ladders", "to teacher"]
    columns += ["beyond"] if beyond else []
    lines = [f"| head | {' | '.join(columns)} |", "| --- |" + " ---: |" * len(columns)]
    for name, row in tqdm(chosen.items(), desc="rows"):
        cells, monotone, followed = [], [], []
        for source in sources:
            out = mos_set.sources == source
            scorer, room = row.fit(rooms, ~out), rooms(row.trunk)
            score = scorer(room.opinions.features[out]).numpy()
            cells.append(with_interval(score, mos_set.mos[out], config.seed))
            monotone.append(falls(held_out, scorer(room.held_out).numpy()))
            if row.teacher is not None:
                told = row.teacher(rooms, ~out)(rooms("teacher").opinions.features[out])
                followed.append(srcc(score, told.numpy()))
        score = row.fit(rooms, ~tenth)(rooms(row.trunk).opinions.features).numpy()
        within = [tenth & (mos_set.sources == source) for source in sources]
        cells.append(f"{np.mean([srcc(score[part], mos_set.mos[part]) for part in within]):.3f}")
        apart = []
        for out in (kind == number for number in np.unique(kind)):
            score = row.fit(rooms, ~out)(rooms(row.trunk).opinions.features[out]).numpy()
            apart.append(srcc(score, mos_set.mos[out]))
        cells.append(f"{np.mean(apart):.3f}")
        cells += [f"{np.mean(monotone):.3f}", f"{np.mean(followed):.3f}" if followed else "–"]
        if beyond is not None:
            score = row.fit(rooms, np.ones(len(mos_set), dtype=bool))(rooms(row.trunk).beyond.features).numpy()
            cells.append(with_interval(score, beyond.mos, config.seed))
        lines.append(f"| {name} | {' | '.join(cells)} |")
        tqdm.write(lines[-1], file=sys.stderr)
    counts = ", ".join(f"{name} {int((mos_set.sources == name).sum())}" for name in sources)
    note = (
        f"n = {len(mos_set)} photos ({counts}); {len(photos)} pristine photos, {len({r.photo for r in held_out})} of "
        f"them held out with {len(held_out)} copies; seed {config.seed}, {_RESAMPLES} resamples."
        + ("" if beyond is None else f" Beyond: n = {len(beyond)} photos.")
    )
    return "\n".join([*lines, "", note])


def without(whole: Ladders, held_out: np.ndarray) -> Ladders:
    """Training ladders: the copies that are not held out, and the pairs among them."""
    kept = torch.from_numpy(~held_out)
    place = torch.cumsum(kept, 0) - 1
    pairs = whole.pairs[kept[whole.pairs].all(1)]
    return Ladders(whole.features[kept], whole.targets[kept], place[pairs])


def with_interval(score: np.ndarray, mos: np.ndarray, seed: int) -> str:
    """SRCC and half its 95 % interval, bootstrapped over the n photos, as a table's cell."""
    draws = np.random.default_rng(seed).integers(0, len(mos), (_RESAMPLES, len(mos)))
    low, high = np.quantile([srcc(score[rows], mos[rows]) for rows in draws], (0.025, 0.975))
    return f"{srcc(score, mos):.3f} ± {(high - low) / 2:.3f}"


def falls(copies: list[DegradedPhoto], score: np.ndarray) -> float:
    """Mean monotonicity of ladders, each from the clean photo on."""
    clean = {copy.photo: value for copy, value in zip(copies, score) if copy.kind == CLEAN}
    along: dict[tuple, dict[int, float]] = {}
    for copy, value in zip(copies, score):
        if copy.level:
            along.setdefault((copy.photo, copy.kind), {0: clean[copy.photo]})[copy.level] = value
    scores = [[ladder[level] for level in sorted(ladder)] for ladder in along.values()]
    return float(np.mean([falling(np.array(of_ladder)) for of_ladder in scores]))
