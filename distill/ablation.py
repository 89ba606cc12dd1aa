"""What helps on photos of a source that was never seen: one row a measure, frozen features, left-out sources.

    python -m distill ablation --mos-folder DIR --pristine DIR [DIR ...]

Every row fits a score head to two of BIQ2021's three sources and ranks the third; intervals are bootstrapped over its
photos. "Ladders" is the mean rank correlation of level and score along ladders of pristine photos that no head saw.
The teacher is the packaged Lite2 trunk with a head of the same kind, fitted to the opinions of the same two sources:
its targets never know the third either.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from pocketiqa.parity import srcc
from tqdm import tqdm

from distill.consistency import falling
from distill.degraded_photos import CLEAN, Rung, ladders, pristine_photos
from distill.frozen_features import FrozenTrunk, StudentFeatures, opinions_of
from distill.heads import PLAIN, Ladders, Opinions, fit_heads
from distill.mos_sets import read_biq2021, split_by_hash
from distill.packaged_teacher import Lite2Features
from distill.train_student import StudentConfig, ladders_of

_RESAMPLES = 500


@dataclass(frozen=True)
class AblationConfig:
    """What the table is measured on.

    Attributes:
        mos_folder: a checkout of BIQ2021.
        pristine: folders of undistorted photos.
        rows: only rows whose name contains one of these; all by default.
        cache: where features are kept.
        seed: of ladders and resamples.
    """

    mos_folder: Path
    pristine: list[Path]
    rows: list[str] | None = None
    cache: Path = Path("runs/cache")
    seed: int = 0


@dataclass(frozen=True)
class Room:
    """All features of one trunk: opinions, and ladders split into those for training and those held out.

    The ladders are a function, since rows that do without them should not wait for their features.
    """

    opinions: Opinions
    split_ladders: Callable[[], tuple[Ladders, torch.Tensor]]

    @property
    def ladders(self) -> Ladders:
        """For training."""
        return self.split_ladders()[0]

    @property
    def held_out(self) -> torch.Tensor:
        """Features of rungs that no head sees."""
        return self.split_ladders()[1]


Linear = tuple[torch.Tensor, torch.Tensor]
Rooms = Callable[[str], Room]  # "student" or "teacher"
# From the rooms and a mask of the opinions that may be used, to a score's weight and bias.
Fit = Callable[[Rooms, np.ndarray], Linear]


def rows() -> dict[str, tuple[str, Fit]]:
    """Name of a row → which trunk it reads, and its fit."""

    def fitted(opinions: bool = True, rungs: bool = True, **changes: float) -> Fit:
        def fit(rooms: Rooms, use: np.ndarray) -> Linear:
            config, student = replace(PLAIN, **changes), rooms("student")
            seen = student.opinions.take(use)
            if not opinions:  # a neutral score pins the scale; the order along ladders is all there is to learn
                features = student.ladders.features
                seen = Opinions(features, torch.full((len(features),), 0.5), np.full(len(features), "ladders"))
                config = replace(config, plcc=0.0, l2=0.02)
            return fit_heads(seen, student.ladders if rungs else None, config)

        return fit

    def teacher(rooms: Rooms, use: np.ndarray) -> Linear:
        return fit_heads(rooms("teacher").opinions.take(use), None, PLAIN)

    def distilled(share: float, on_ladders: bool, **changes: float) -> Fit:
        def fit(rooms: Rooms, use: np.ndarray) -> Linear:
            student, own, taught = rooms("student"), rooms("teacher"), teacher(rooms, use)
            seen = student.opinions.take(use)
            told = _score(own.opinions.features[use], taught)
            targets = Opinions(seen.features, (1 - share) * seen.mos + share * told, seen.sources)
            if on_ladders:
                rungs = student.ladders.features
                targets = Opinions(
                    torch.cat([targets.features, rungs]),
                    torch.cat([targets.mos, _score(own.ladders.features, taught)]),
                    np.concatenate([targets.sources, np.full(len(rungs), "ladders")]),
                )
            return fit_heads(targets, student.ladders, replace(PLAIN, **changes))

        return fit

    def averaged(share: float) -> Fit:
        def fit(rooms: Rooms, use: np.ndarray) -> Linear:
            return _mean([fitted(opinions=False)(rooms, use), fitted()(rooms, use)], [share, 1 - share])

        return fit

    def ranks(rooms: Rooms, use: np.ndarray) -> Linear:
        student = rooms("student")
        seen = student.opinions.take(use)
        mos = seen.mos.clone()
        for name in np.unique(seen.sources):
            inside = torch.from_numpy(seen.sources == name)
            mos[inside] = 0.05 + 0.9 * mos[inside].argsort().argsort() / inside.sum()
        return fit_heads(Opinions(seen.features, mos, seen.sources), student.ladders, PLAIN)

    return {
        "opinions alone": ("student", fitted(rungs=False)),
        "opinions and ladders (plain)": ("student", fitted()),
        "ladders alone, no opinions (stage A's idea)": ("student", fitted(opinions=False)),
        "plain, L2 × 2": ("student", fitted(l2=PLAIN.l2 * 2)),
        "plain, L2 × 4": ("student", fitted(l2=PLAIN.l2 * 4)),
        "plain, no correlation term": ("student", fitted(plcc=0.0)),
        "plain, correlation × 4": ("student", fitted(plcc=PLAIN.plcc * 4)),
        "plain, ranking × 4": ("student", fitted(ranking=PLAIN.ranking * 4)),
        "plain, no attributes": ("student", fitted(attributes=0.0)),
        "ranks within a source instead of scores": ("student", ranks),
        "mean of one head a source": ("student", fitted(consensus=1.0)),
        "half of it, L2 × 2": ("student", fitted(consensus=0.5, l2=PLAIN.l2 * 2)),
        "**a quarter of it, L2 × 2 (shipped)**": ("student", fitted(consensus=0.25, l2=PLAIN.l2 * 2)),
        "mean with the head of ladders alone, 1 : 3 (WiSE-FT)": ("student", averaged(0.25)),
        "teacher: Lite2's stages, opinions alone": ("teacher", teacher),
        "student on half teacher, half people": ("student", distilled(0.5, on_ladders=False)),
        "student on the teacher alone": ("student", distilled(1.0, on_ladders=False)),
        "student on half teacher, and on its scores of ladders": ("student", distilled(0.5, on_ladders=True)),
        "the same, ranking × 4": ("student", distilled(0.5, on_ladders=True, ranking=PLAIN.ranking * 4)),
    }


def measure_ablation(config: AblationConfig) -> str:
    """A Markdown table; a cell is SRCC and half its 95 % interval."""
    mos_set = read_biq2021(config.mos_folder, "train")
    photos = pristine_photos(config.pristine)
    rungs = ladders(photos, StudentConfig().kinds_per_photo, config.seed)
    kept = split_by_hash([rung.photo for rung in rungs], 0.1)

    @cache
    def rooms(name: str) -> Room:
        trunk = FrozenTrunk({"student": StudentFeatures, "teacher": Lite2Features}[name]())

        @cache
        def split_ladders() -> tuple[Ladders, torch.Tensor]:
            whole = ladders_of(photos, trunk, StudentConfig(cache=config.cache, seed=config.seed))
            return _without(whole, kept), whole.features[kept]

        return Room(opinions_of(mos_set, trunk, config.cache), split_ladders)

    held_out = [rung for rung, out in zip(rungs, kept) if out]
    sources = [str(name) for name in np.unique(mos_set.sources)]
    chosen = {
        name: row for name, row in rows().items() if config.rows is None or any(part in name for part in config.rows)
    }
    lines = [f"| head | {' | '.join(f'out {name}' for name in sources)} | ladders |", "| --- |" + " ---: |" * 4]
    for name, (room, fit) in tqdm(chosen.items(), desc="rows"):
        cells, monotone = [], []
        for source in sources:
            out = mos_set.sources == source
            linear = fit(rooms, ~out)
            score = _score(rooms(room).opinions.features[out], linear).numpy()
            cells.append(with_interval(score, mos_set.mos[out], config.seed))
            if room == "student":
                monotone.append(_falls(held_out, _score(rooms(room).held_out, linear).numpy()))
        falls = f"{np.mean(monotone):.3f}" if monotone else "–"
        lines.append(f"| {name} | {' | '.join(cells)} | {falls} |")
        tqdm.write(lines[-1], file=sys.stderr)
    counts = ", ".join(f"{name} {int((mos_set.sources == name).sum())}" for name in sources)
    note = (
        f"n = {len(mos_set)} photos ({counts}); {len(photos)} pristine photos, {len({r.photo for r in held_out})} of "
        f"them held out with {len(held_out)} rungs; seed {config.seed}, {_RESAMPLES} resamples."
    )
    return "\n".join([*lines, "", note])


def _score(features: torch.Tensor, linear: Linear) -> torch.Tensor:
    weight, bias = linear
    return torch.sigmoid(features @ weight[0] + bias[0])


def _mean(heads: list[Linear], shares: list[float]) -> Linear:
    return tuple(sum(share * part for share, part in zip(shares, parts)) for parts in zip(*heads))


def _without(whole: Ladders, held_out: np.ndarray) -> Ladders:
    """Training ladders: the rungs that are not held out, and the pairs among them."""
    kept = torch.from_numpy(~held_out)
    place = torch.cumsum(kept, 0) - 1
    pairs = whole.pairs[kept[whole.pairs].all(1)]
    return Ladders(whole.features[kept], whole.targets[kept], place[pairs])


def with_interval(score: np.ndarray, mos: np.ndarray, seed: int) -> str:
    """SRCC and half its 95 % interval, bootstrapped over the n photos, as a table's cell."""
    draws = np.random.default_rng(seed).integers(0, len(mos), (_RESAMPLES, len(mos)))
    low, high = np.quantile([srcc(score[rows], mos[rows]) for rows in draws], (0.025, 0.975))
    return f"{srcc(score, mos):.3f} ± {(high - low) / 2:.3f}"


def _falls(rungs: list[Rung], score: np.ndarray) -> float:
    """Mean monotonicity of ladders, each from the clean photo on."""
    clean = {rung.photo: value for rung, value in zip(rungs, score) if rung.kind == CLEAN}
    along: dict[tuple, dict[int, float]] = {}
    for rung, value in zip(rungs, score):
        if rung.level:
            along.setdefault((rung.photo, rung.kind), {0: clean[rung.photo]})[rung.level] = value
    scores = [[ladder[level] for level in sorted(ladder)] for ladder in along.values()]
    return float(np.mean([falling(np.array(of_ladder)) for of_ladder in scores]))
