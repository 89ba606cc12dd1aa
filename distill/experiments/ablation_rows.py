"""The ablation's rows: each a way to fit a score to frozen features, or the packaged teacher's projection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch

from distill.experiments.linear_score import PLAIN, LinearScoreConfig, fit_linear_score, linear_score
from distill.heads.hidden_units import HiddenUnitsConfig, fit_hidden_units, score_of
from distill.heads.projection import ProjectionConfig, fit_projection
from distill.networks.student import INPUT_SPEC, Linear
from distill.teacher.packaged import embed_views
from distill.teacher.prompt_scores import prompt_scores
from distill.training.features import LadderFeatures, ScoredFeatures

_VIEWS = len(INPUT_SPEC.views)


@dataclass(frozen=True)
class TrunkFeatures:
    """All features of one trunk: scored photos, ladders split into those that teach and those held out, the set beyond.

    The ladders are a function, since rows that do without them should not wait for their features.
    """

    scored: ScoredFeatures
    split_ladders: Callable[[], tuple[LadderFeatures, torch.Tensor]]
    beyond: ScoredFeatures | None = None

    @property
    def ladders(self) -> LadderFeatures:
        """Those that teach."""
        return self.split_ladders()[0]

    @property
    def held_out(self) -> torch.Tensor:
        """Features of degraded photos that no head sees."""
        return self.split_ladders()[1]


Trunks = Callable[[str], TrunkFeatures]  # "student" or "teacher"
Scorer = Callable[[torch.Tensor], torch.Tensor]  # from features n×d to scores n
# From the trunks' features and a mask of the scored photos that may be used, to a scorer.
Fit = Callable[[Trunks, np.ndarray], Scorer]
HeadConfig = LinearScoreConfig | HiddenUnitsConfig


@dataclass(frozen=True)
class Variant:
    """What one row measures.

    Attributes:
        trunk: whose features it reads, the student's or the teacher's.
        fit: the fit.
        teacher: the fit of the teacher that it learns from, if any.
    """

    trunk: str
    fit: Fit
    teacher: Fit | None = None


def variants(text: torch.Tensor) -> dict[str, Variant]:
    """Name of a row → what it measures; ``text`` N×D are the teacher's prompts' unit embeddings."""
    quarter, tenth = ({"consensus": share, "l2": PLAIN.l2 * 2} for share in (0.25, 0.1))
    teacher, shipped_teacher = _projected(text, ranking=1.0), _projected(text)
    students = {
        "opinions alone": _linear(use_ladders=False),
        "opinions and ladders (plain)": _linear(),
        "ladders alone, no opinions (stage A's idea)": _linear(use_opinions=False),
        "plain, L2 × 2": _linear(l2=PLAIN.l2 * 2),
        "plain, L2 × 4": _linear(l2=PLAIN.l2 * 4),
        "plain, no correlation term": _linear(plcc=0.0),
        "plain, correlation × 4": _linear(plcc=PLAIN.plcc * 4),
        "plain, ranking × 4": _linear(ranking=PLAIN.ranking * 4),
        "mean with the head of ladders alone, 3 : 1 (WiSE-FT)": _averaged(0.25),
        "ranks within a source instead of scores": _ranks,
        "mean of one head a source": _linear(consensus=1.0),
        "half of it, L2 × 2": _linear(consensus=0.5, l2=PLAIN.l2 * 2),
        "a quarter of it, L2 × 2": _linear(**quarter),
        "a quarter of it, L2 × 2, ranking × 0.3": _linear(**quarter, ranking=PLAIN.ranking * 0.3),
        "a quarter of it, L2 × 2, margin / 3": _linear(**quarter, margin=PLAIN.margin / 3),
        "L2 × 2, ranking × 0.1": _linear(l2=PLAIN.l2 * 2, ranking=PLAIN.ranking * 0.1),
        "**hidden units (the student without a teacher)**": _hidden(),
        "hidden units, no correlation term": _hidden(plcc=0.0),
        "hidden units, no ladders": _hidden(ranking=0.0),
        "hidden units, their penalty / 10": _hidden(hidden_l2=HiddenUnitsConfig().hidden_l2 / 10),
        "hidden units held at nothing: linear, by the same steps": _hidden(hidden_l2=1000.0),
    }
    teachers = {
        "teacher, opinions alone": _projected(text, use_ladders=False),
        "teacher, opinions and ladders": teacher,
        "teacher, ranking × 0.1": shipped_teacher,
        "teacher, its penalty / 1000": _projected(text, ranking=1.0, l2=ProjectionConfig().l2 / 1000),
    }
    distilled = {
        "student on the teacher alone, a quarter, L2 × 2": _distilled(1.0, replace(PLAIN, **quarter), teacher),
        "student on half teacher, a quarter, L2 × 2": _distilled(0.5, replace(PLAIN, **quarter), teacher),
        "the same, and on the teacher's scores of ladders": _distilled(
            0.5, replace(PLAIN, **quarter), teacher, on_ladders=True
        ),
        "student on three tenths teacher, a tenth, L2 × 2": _distilled(0.3, replace(PLAIN, **tenth), teacher),
        "**student on three tenths teacher, hidden units (shipped)**": _distilled(
            0.3, HiddenUnitsConfig(), shipped_teacher
        ),
    }
    return (
        {name: Variant("student", fit) for name, fit in students.items()}
        | {name: Variant("teacher", fit) for name, fit in teachers.items()}
        | distilled
    )


def _linear_head(
    trunks: Trunks, use: np.ndarray, use_opinions: bool = True, use_ladders: bool = True, **changes: float
) -> Linear:
    config, student = replace(PLAIN, **changes), trunks("student")
    seen = student.scored.take(use)
    if not use_opinions:  # a neutral score pins the scale; the order along ladders is all there is to learn
        features = student.ladders.features
        seen = ScoredFeatures(features, torch.full((len(features),), 0.5), np.full(len(features), "ladders"))
        config = replace(config, plcc=0.0, l2=0.02)
    return fit_linear_score(seen, student.ladders if use_ladders else None, config)


def _linear(**how: float) -> Fit:
    return lambda trunks, use: _scorer(_linear_head(trunks, use, **how), linear_score)


def _hidden(**how: float) -> Fit:
    def fit(trunks: Trunks, use: np.ndarray) -> Scorer:
        student = trunks("student")
        return _fitted(student.scored.take(use), student.ladders, replace(HiddenUnitsConfig(), **how))

    return fit


def _averaged(share: float) -> Fit:
    def fit(trunks: Trunks, use: np.ndarray) -> Scorer:
        pair = zip(_linear_head(trunks, use, use_opinions=False), _linear_head(trunks, use))
        return _scorer(tuple(torch.lerp(whole, alone, share) for alone, whole in pair), linear_score)

    return fit


def _ranks(trunks: Trunks, use: np.ndarray) -> Scorer:
    student = trunks("student")
    seen = student.scored.take(use)
    mos = seen.mos.clone()
    for name in np.unique(seen.sources):
        inside = torch.from_numpy(seen.sources == name)
        mos[inside] = 0.05 + 0.9 * mos[inside].argsort().argsort() / inside.sum()
    return _fitted(ScoredFeatures(seen.features, mos, seen.sources), student.ladders, PLAIN)


def _projected(text: torch.Tensor, use_ladders: bool = True, **changes: float) -> Fit:
    """The packaged teacher's projection, fitted once for the same photos."""

    @cache
    def projected(trunks: Trunks, use: bytes) -> Scorer:
        own = trunks("teacher")
        seen = own.scored.take(np.frombuffer(use, dtype=bool).copy())
        config = replace(ProjectionConfig(), **changes)
        weight, bias = fit_projection(seen, own.ladders if use_ladders else None, _VIEWS, text, "both", config)
        return lambda features: prompt_scores(embed_views(features, weight, bias), text, "both").score

    return lambda trunks, use: projected(trunks, use.tobytes())


def _distilled(share: float, how: HeadConfig, teacher: Fit, on_ladders: bool = False) -> Variant:
    def fit(trunks: Trunks, use: np.ndarray) -> Scorer:
        student, own, scorer = trunks("student"), trunks("teacher"), teacher(trunks, use)
        targets = student.scored.take(use).blended(scorer(own.scored.features[use]), share)
        if on_ladders:
            copies = student.ladders.features
            targets = ScoredFeatures(
                torch.cat([targets.features, copies]),
                torch.cat([targets.mos, scorer(own.ladders.features)]),
                np.concatenate([targets.sources, np.full(len(copies), "ladders")]),
            )
        return _fitted(targets, student.ladders, how)

    return Variant("student", fit, teacher)


def _fitted(scored: ScoredFeatures, ladders: LadderFeatures, how: HeadConfig) -> Scorer:
    if isinstance(how, LinearScoreConfig):
        return _scorer(fit_linear_score(scored, ladders, how), linear_score)
    return _scorer(fit_hidden_units(scored, ladders, how, seed=0), score_of)


def _scorer(head: Linear, score: Callable[[torch.Tensor, Linear], torch.Tensor]) -> Scorer:
    return lambda features: score(features, head)
