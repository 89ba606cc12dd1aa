"""What helps on photos of a source that was never seen: one row a measure, frozen features, left-out sources.

    python -m distill ablation --mos-folder DIR --pristine DIR [DIR ...]

Every row fits a score head to two of BIQ2021's three sources and ranks the third; intervals are bootstrapped over its
photos. "Ladders" is the mean rank correlation of level and score along ladders of pristine photos that no head saw.
The teacher is the packaged one, its projection fitted to the opinions of the same two sources: its targets never know
the third either. "To teacher" is the mean SRCC between a student and its teacher on the sources that neither saw.
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
from distill.fit_projection import ProjectionConfig, embed_views, fit_projection
from distill.frozen_features import FrozenTrunk, StudentFeatures, ladders_of, opinions_of
from distill.heads import PLAIN, Ladders, Opinions, fit_heads
from distill.mos_sets import read_biq2021, split_by_hash
from distill.packaged_teacher import Lite2Features
from distill.student import INPUT_SPEC
from distill.teacher import TeacherConfig, load_teacher, read_prompts
from distill.train_student import StudentConfig

_RESAMPLES = 500
_VIEWS = len(INPUT_SPEC.views)


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
Scorer = Callable[[torch.Tensor], torch.Tensor]  # from features n×d to scores n
# From the rooms and a mask of the opinions that may be used, to a scorer.
Fit = Callable[[Rooms, np.ndarray], Scorer]


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        trunk: whose features it reads, the student's or the teacher's.
        fit: what is measured.
        teacher: the fit of the teacher that it learns from, if any.
    """

    trunk: str
    fit: Fit
    teacher: Fit | None = None


def rows() -> dict[str, Row]:
    """Name of a row → what it is."""

    def heads(rooms: Rooms, use: np.ndarray, opinions: bool = True, rungs: bool = True, **changes: float) -> Linear:
        config, student = replace(PLAIN, **changes), rooms("student")
        seen = student.opinions.take(use)
        if not opinions:  # a neutral score pins the scale; the order along ladders is all there is to learn
            features = student.ladders.features
            seen = Opinions(features, torch.full((len(features),), 0.5), np.full(len(features), "ladders"))
            config = replace(config, plcc=0.0, l2=0.02)
        return fit_heads(seen, student.ladders if rungs else None, config)

    def fitted(**how: float) -> Fit:
        return lambda rooms, use: _scorer(heads(rooms, use, **how))

    def averaged(share: float) -> Fit:
        def fit(rooms: Rooms, use: np.ndarray) -> Scorer:
            pair = zip(heads(rooms, use, opinions=False), heads(rooms, use))
            return _scorer(tuple(torch.lerp(all_seen, alone, share) for alone, all_seen in pair))

        return fit

    def taught(rungs: bool = True, **changes: float) -> Fit:
        @cache
        def projected(rooms: Rooms, use: bytes) -> Scorer:
            own = rooms("teacher")
            text = load_teacher(TeacherConfig()).text().detach()
            seen = own.opinions.take(np.frombuffer(use, dtype=bool).copy())
            config = replace(ProjectionConfig(), **changes)
            weight, bias = fit_projection(seen, own.ladders if rungs else None, _VIEWS, text, "both", config)

            def score(features: torch.Tensor) -> torch.Tensor:
                embedding = embed_views(features.unflatten(1, (_VIEWS, -1)), weight, bias)
                return read_prompts(embedding, text, "both").score

            return score

        return lambda rooms, use: projected(rooms, use.tobytes())

    teacher = taught()

    def distilled(share: float, on_ladders: bool = False, **changes: float) -> Row:
        def fit(rooms: Rooms, use: np.ndarray) -> Scorer:
            student, own, scorer = rooms("student"), rooms("teacher"), teacher(rooms, use)
            targets = student.opinions.take(use).blended(scorer(own.opinions.features[use]), share)
            if on_ladders:
                rungs = student.ladders.features
                targets = Opinions(
                    torch.cat([targets.features, rungs]),
                    torch.cat([targets.mos, scorer(own.ladders.features)]),
                    np.concatenate([targets.sources, np.full(len(rungs), "ladders")]),
                )
            return _scorer(fit_heads(targets, student.ladders, replace(PLAIN, **changes)))

        return Row("student", fit, teacher)

    def ranks(rooms: Rooms, use: np.ndarray) -> Scorer:
        student = rooms("student")
        seen = student.opinions.take(use)
        mos = seen.mos.clone()
        for name in np.unique(seen.sources):
            inside = torch.from_numpy(seen.sources == name)
            mos[inside] = 0.05 + 0.9 * mos[inside].argsort().argsort() / inside.sum()
        return _scorer(fit_heads(Opinions(seen.features, mos, seen.sources), student.ladders, PLAIN))

    quarter, tenth = ({"consensus": share, "l2": PLAIN.l2 * 2} for share in (0.25, 0.1))
    students = {
        "opinions alone": fitted(rungs=False),
        "opinions and ladders (plain)": fitted(),
        "ladders alone, no opinions (stage A's idea)": fitted(opinions=False),
        "plain, L2 × 2": fitted(l2=PLAIN.l2 * 2),
        "plain, L2 × 4": fitted(l2=PLAIN.l2 * 4),
        "plain, no correlation term": fitted(plcc=0.0),
        "plain, correlation × 4": fitted(plcc=PLAIN.plcc * 4),
        "plain, ranking × 4": fitted(ranking=PLAIN.ranking * 4),
        "plain, no attributes": fitted(attributes=0.0),
        "mean with the head of ladders alone, 3 : 1 (WiSE-FT)": averaged(0.25),
        "ranks within a source instead of scores": ranks,
        "mean of one head a source": fitted(consensus=1.0),
        "half of it, L2 × 2": fitted(consensus=0.5, l2=PLAIN.l2 * 2),
        "**a quarter of it, L2 × 2 (the student without a teacher)**": fitted(**quarter),
    }
    teachers = {
        "teacher, opinions alone": taught(rungs=False),
        "teacher, opinions and ladders": teacher,
        "teacher, its penalty / 1000": taught(l2=ProjectionConfig().l2 / 1000),
    }
    taken_over = {
        "student on the teacher alone, a quarter, L2 × 2": distilled(1.0, **quarter),
        "**student on half teacher, a quarter, L2 × 2 (shipped)**": distilled(0.5, **quarter),
        "the same, and on the teacher's scores of ladders": distilled(0.5, on_ladders=True, **quarter),
        "student on three tenths teacher, a tenth, L2 × 2": distilled(0.3, **tenth),
    }
    return (
        {name: Row("student", fit) for name, fit in students.items()}
        | {name: Row("teacher", fit) for name, fit in teachers.items()}
        | taken_over
    )


def measure_ablation(config: AblationConfig) -> str:
    """A Markdown table; a cell is SRCC and half its 95 % interval."""
    mos_set = read_biq2021(config.mos_folder, "train")
    photos = pristine_photos(config.pristine)
    kinds_per_photo = StudentConfig().kinds_per_photo
    rungs = ladders(photos, kinds_per_photo, config.seed)
    kept = split_by_hash([rung.photo for rung in rungs], 0.1)

    @cache
    def rooms(name: str) -> Room:
        trunk = FrozenTrunk({"student": StudentFeatures, "teacher": Lite2Features}[name]())

        @cache
        def split_ladders() -> tuple[Ladders, torch.Tensor]:
            whole = ladders_of(photos, kinds_per_photo, config.seed, trunk, config.cache)
            return without(whole, kept), whole.features[kept]

        return Room(opinions_of(mos_set, trunk, config.cache), split_ladders)

    held_out = [rung for rung, out in zip(rungs, kept) if out]
    sources = [str(name) for name in np.unique(mos_set.sources)]
    chosen = {
        name: row for name, row in rows().items() if config.rows is None or any(part in name for part in config.rows)
    }
    lines = [
        f"| head | {' | '.join(f'out {name}' for name in sources)} | ladders | to teacher |",
        "| --- |" + " ---: |" * 5,
    ]
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
        to_teacher = f"{np.mean(followed):.3f}" if followed else "–"
        lines.append(f"| {name} | {' | '.join(cells)} | {np.mean(monotone):.3f} | {to_teacher} |")
        tqdm.write(lines[-1], file=sys.stderr)
    counts = ", ".join(f"{name} {int((mos_set.sources == name).sum())}" for name in sources)
    note = (
        f"n = {len(mos_set)} photos ({counts}); {len(photos)} pristine photos, {len({r.photo for r in held_out})} of "
        f"them held out with {len(held_out)} rungs; seed {config.seed}, {_RESAMPLES} resamples."
    )
    return "\n".join([*lines, "", note])


def _scorer(linear: Linear) -> Scorer:
    weight, bias = linear
    return lambda features: torch.sigmoid(features @ weight[0] + bias[0])


def without(whole: Ladders, held_out: np.ndarray) -> Ladders:
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


def falls(rungs: list[Rung], score: np.ndarray) -> float:
    """Mean monotonicity of ladders, each from the clean photo on."""
    clean = {rung.photo: value for rung, value in zip(rungs, score) if rung.kind == CLEAN}
    along: dict[tuple, dict[int, float]] = {}
    for rung, value in zip(rungs, score):
        if rung.level:
            along.setdefault((rung.photo, rung.kind), {0: clean[rung.photo]})[rung.level] = value
    scores = [[ladder[level] for level in sorted(ladder)] for ladder in along.values()]
    return float(np.mean([falling(np.array(of_ladder)) for of_ladder in scores]))
