"""The rows of ``trained_trunks.py``: one term, or one switch, a row."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from distill.stages.alignment import AlignmentConfig
from distill.stages.distillation import DistillationConfig
from distill.stages.opinions import OpinionConfig


@dataclass(frozen=True)
class StudentSteps:
    """Stage C's terms (None for no steps: the start), the start's share in the end (WiSE-FT), the share that the moving
    average keeps, and the name of the row that lacks what this one is about.
    """

    loss: DistillationConfig | None = None
    keep_start: float = 0.0
    average: float = 0.0
    without: str | None = None


@dataclass(frozen=True)
class TeacherSteps:
    """Which stages a teacher goes through (none is its start), and the name of the row that lacks what this one is
    about.
    """

    alignment: AlignmentConfig | None = None
    opinions: OpinionConfig | None = None
    context_tokens: int = 0
    without: str | None = None


_STUDENT, _TEACHER = "student: fitted heads, frozen trunk", "teacher: fitted projection, frozen trunk"
_PLAIN, _SCORE = "student: plain fine-tune to people's scores", "student: the same, teacher's score"
_WHOLE, _ALIGNED = "student: all of stage C", "teacher: stage A"


def student_rows() -> dict[str, StudentSteps]:
    """Name of a row → stage C's settings; the first is the start."""
    switches = {term.name: 0 for term in fields(DistillationConfig) if term.type in ("float", "bool")}
    nothing = DistillationConfig(**switches)
    # The first stages cost half of the time and stay.
    trunk = {"trunk_rate": 1.0, "frozen_stages": 3}
    supervised = replace(nothing, opinions=1.0, attributes=1.0, **trunk)
    whole = DistillationConfig(**trunk)

    def also(without: str = _PLAIN, **terms: float) -> StudentSteps:
        return StudentSteps(replace(supervised, **terms), without=without)

    alone = replace(nothing, features=1.0, **trunk)
    seen = {term: getattr(whole, term) for term in ("embedding", "grades", "pairs")}
    score = {"without": _SCORE, "score": whole.score}
    return {
        _STUDENT: StudentSteps(),
        _PLAIN: also(_STUDENT),
        "student: the same, near the frozen features": also(keep_features=whole.keep_features),
        _SCORE: also(score=whole.score),
        "student: the same, teacher's ranking of pairs": also(ranking=whole.ranking),
        "student: the same, teacher's embedding": also(embedding=whole.embedding),
        "student: the same, teacher's features": also(features=1.0),
        "student: teacher's features alone": StudentSteps(alone, without=_STUDENT),
        "student: teacher's features alone, in windows": StudentSteps(replace(alone, window=256), without=_STUDENT),
        "student: the same, teacher's grades": also(grades=whole.grades),
        "student: the same, teacher's antonym pairs": also(pairs=whole.pairs),
        "student: the same, teacher's embedding, grades and pairs": also(**seen),
        "student: the same, its score with the reference known (CKDN)": also(**score, privileged=True),
        "student: the same, its score weighed by its confidence": also(**score, confident=True),
        "student: the same, kind × level named (CONTRIQUE)": also(kinds=0.1),
        _WHOLE: StudentSteps(whole, without=_STUDENT),
        "student: all of it, half of the start's weights (WiSE-FT)": StudentSteps(whole, 0.5, without=_WHOLE),
        "student: all of it, moving average of weights": StudentSteps(whole, average=0.9, without=_WHOLE),
    }


def teacher_rows() -> dict[str, TeacherSteps]:
    """Name of a row → the stages; the first is the start."""
    seen = OpinionConfig(validation=0)
    none = replace(seen, fidelity=0.0, mse=0.0, plcc=0.0)
    aligned = AlignmentConfig()

    def also(context_tokens: int = 0, **terms: float) -> TeacherSteps:
        return TeacherSteps(replace(aligned, **terms), context_tokens=context_tokens, without=_ALIGNED)

    def told(**terms: float) -> TeacherSteps:
        return TeacherSteps(opinions=replace(none, **terms), without=_TEACHER)

    return {
        _TEACHER: TeacherSteps(),
        _ALIGNED: TeacherSteps(aligned, without=_TEACHER),
        "teacher: stage B": TeacherSteps(opinions=seen, without=_TEACHER),
        "teacher: stages A and B": TeacherSteps(aligned, seen, without=_TEACHER),
        "teacher: stage A, symmetric negatives (TripletCLIP)": also(symmetric=1.0),
        "teacher: stage A, attributes' pairs": also(attributes=1.0),
        "teacher: stage A, learnable context": also(context_tokens=4),
        "teacher: stage B, fidelity alone": told(fidelity=1.0),
        "teacher: stage B, squared error alone": told(mse=1.0),
        "teacher: stage B, correlation alone": told(plcc=1.0),
    }
