"""The ablation's rows: each a way to fit a score head to frozen features, or the packaged teacher's projection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch

from distill.heads.hidden_units import HingeConfig, fit_hinges
from distill.heads.linear import PLAIN, HeadConfig, Ladders, Opinions, fit_heads
from distill.heads.projection import ProjectionConfig, embed_views, fit_projection
from distill.networks.student import INPUT_SPEC, OUTPUTS, quality_of
from distill.teacher.teacher import TeacherConfig, load_teacher, read_prompts

_VIEWS = len(INPUT_SPEC.views)


@dataclass(frozen=True)
class Room:
    """All features of one trunk: opinions, ladders split into those for training and those held out, the set beyond.

    The ladders are a function, since rows that do without them should not wait for their features.
    """

    opinions: Opinions
    split_ladders: Callable[[], tuple[Ladders, torch.Tensor]]
    beyond: Opinions | None = None

    @property
    def ladders(self) -> Ladders:
        """For training."""
        return self.split_ladders()[0]

    @property
    def held_out(self) -> torch.Tensor:
        """Features of copies that no head sees."""
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
    quarter, tenth = ({"consensus": share, "l2": PLAIN.l2 * 2} for share in (0.25, 0.1))

    def heads(rooms: Rooms, use: np.ndarray, opinions: bool = True, copies: bool = True, **changes: float) -> Linear:
        config, student = replace(PLAIN, **changes), rooms("student")
        seen = student.opinions.take(use)
        if not opinions:  # a neutral score pins the scale; the order along ladders is all there is to learn
            features = student.ladders.features
            seen = Opinions(features, torch.full((len(features),), 0.5), np.full(len(features), "ladders"))
            config = replace(config, plcc=0.0, l2=0.02)
        return fit_heads(seen, student.ladders if copies else None, config)

    def fitted(**how: float) -> Fit:
        return lambda rooms, use: _scorer(heads(rooms, use, **how))

    def bent(**how: float) -> Fit:
        def fit(rooms: Rooms, use: np.ndarray) -> Scorer:
            student = rooms("student")
            return _scorer(_fit(student.opinions.take(use), student.ladders, replace(HingeConfig(), **how)))

        return fit

    def averaged(share: float) -> Fit:
        def fit(rooms: Rooms, use: np.ndarray) -> Scorer:
            pair = zip(heads(rooms, use, opinions=False), heads(rooms, use))
            return _scorer(tuple(torch.lerp(all_seen, alone, share) for alone, all_seen in pair))

        return fit

    def taught(copies: bool = True, **changes: float) -> Fit:
        @cache
        def projected(rooms: Rooms, use: bytes) -> Scorer:
            own = rooms("teacher")
            text = load_teacher(TeacherConfig()).text().detach()
            seen = own.opinions.take(np.frombuffer(use, dtype=bool).copy())
            config = replace(ProjectionConfig(), **changes)
            weight, bias = fit_projection(seen, own.ladders if copies else None, _VIEWS, text, "both", config)

            def score(features: torch.Tensor) -> torch.Tensor:
                return read_prompts(embed_views(features, weight, bias), text, "both").score

            return score

        return lambda rooms, use: projected(rooms, use.tobytes())

    teacher, shipped_teacher = taught(ranking=1.0), taught()

    def distilled(share: float, how: HeadConfig | HingeConfig, on_ladders: bool = False, teacher: Fit = teacher) -> Row:
        def fit(rooms: Rooms, use: np.ndarray) -> Scorer:
            student, own, scorer = rooms("student"), rooms("teacher"), teacher(rooms, use)
            targets = student.opinions.take(use).blended(scorer(own.opinions.features[use]), share)
            if on_ladders:
                copies = student.ladders.features
                targets = Opinions(
                    torch.cat([targets.features, copies]),
                    torch.cat([targets.mos, scorer(own.ladders.features)]),
                    np.concatenate([targets.sources, np.full(len(copies), "ladders")]),
                )
            return _scorer(_fit(targets, student.ladders, how))

        return Row("student", fit, teacher)

    def ranks(rooms: Rooms, use: np.ndarray) -> Scorer:
        student = rooms("student")
        seen = student.opinions.take(use)
        mos = seen.mos.clone()
        for name in np.unique(seen.sources):
            inside = torch.from_numpy(seen.sources == name)
            mos[inside] = 0.05 + 0.9 * mos[inside].argsort().argsort() / inside.sum()
        return _scorer(fit_heads(Opinions(seen.features, mos, seen.sources), student.ladders, PLAIN))

    students = {
        "opinions alone": fitted(copies=False),
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
        "a quarter of it, L2 × 2": fitted(**quarter),
        "a quarter of it, L2 × 2, ranking × 0.3": fitted(**quarter, ranking=PLAIN.ranking * 0.3),
        "a quarter of it, L2 × 2, margin / 3": fitted(**quarter, margin=PLAIN.margin / 3),
        "L2 × 2, ranking × 0.1": fitted(l2=PLAIN.l2 * 2, ranking=PLAIN.ranking * 0.1),
        "**hinges (the student without a teacher)**": bent(),
        "hinges, no correlation term": bent(plcc=0.0),
        "hinges, no ladders": bent(ranking=0.0),
        "hinges, their penalty / 10": bent(hinge_l2=HingeConfig().hinge_l2 / 10),
        "hinges held at nothing: linear, by the same steps": bent(hinge_l2=1000.0),
    }
    teachers = {
        "teacher, opinions alone": taught(copies=False),
        "teacher, opinions and ladders": teacher,
        "teacher, ranking × 0.1": shipped_teacher,
        "teacher, its penalty / 1000": taught(ranking=1.0, l2=ProjectionConfig().l2 / 1000),
    }
    taken_over = {
        "student on the teacher alone, a quarter, L2 × 2": distilled(1.0, replace(PLAIN, **quarter)),
        "student on half teacher, a quarter, L2 × 2": distilled(0.5, replace(PLAIN, **quarter)),
        "the same, and on the teacher's scores of ladders": distilled(0.5, replace(PLAIN, **quarter), on_ladders=True),
        "student on three tenths teacher, a tenth, L2 × 2": distilled(0.3, replace(PLAIN, **tenth)),
        "**student on three tenths teacher, hinges (shipped)**": distilled(0.3, HingeConfig(), teacher=shipped_teacher),
    }
    return (
        {name: Row("student", fit) for name, fit in students.items()}
        | {name: Row("teacher", fit) for name, fit in teachers.items()}
        | taken_over
    )


def _fit(opinions: Opinions, ladders: Ladders, how: HeadConfig | HingeConfig) -> Linear:
    if isinstance(how, HeadConfig):
        return fit_heads(opinions, ladders, how)
    # The table ranks by scores; attributes are not fitted for it.
    width = opinions.features.shape[1]
    return fit_hinges(opinions, ladders, (torch.zeros(len(OUTPUTS), width), torch.zeros(len(OUTPUTS))), how, seed=0)


def _scorer(linear: Linear) -> Scorer:
    weight, bias = linear
    return lambda features: quality_of(features, weight, bias)[:, 0]
