"""The rows of ``trained_trunks.py``: one term, or one switch, a row."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from distill.networks.student import INPUT_SPEC
from distill.stages.alignment import AlignmentConfig
from distill.stages.distillation import DistillationConfig
from distill.stages.opinions import OpinionConfig


@dataclass(frozen=True)
class StudentSteps:
    """Stage C's terms, the start's share in the end (WiSE-FT), and the share that the moving average keeps."""

    loss: DistillationConfig
    keep_start: float = 0.0
    average: float = 0.0


@dataclass(frozen=True)
class TeacherSteps:
    """Which stages a teacher goes through; none is its start."""

    alignment: AlignmentConfig | None = None
    opinions: OpinionConfig | None = None
    context_tokens: int = 0


def student_rows() -> dict[str, StudentSteps | None]:
    """Name of a row → stage C's settings; None is the start."""
    switches = {term.name: 0 for term in fields(DistillationConfig) if term.type in ("float", "bool")}
    nothing = DistillationConfig(**switches)
    # The first stages cost half of the time and stay.
    trunk = {"trunk_rate": 1.0, "frozen_stages": 3}
    supervised = replace(nothing, opinions=1.0, attributes=1.0, **trunk)
    whole = DistillationConfig(**trunk)

    def also(**terms: float) -> StudentSteps:
        return StudentSteps(replace(supervised, **terms))

    return {
        "student: fitted heads, frozen trunk": None,
        "student: plain fine-tune to people's scores": also(),
        "student: the same, near the frozen features": also(keep_features=whole.keep_features),
        "student: the same, teacher's score": also(score=whole.score),
        "student: the same, teacher's ranking of pairs": also(ranking=whole.ranking),
        "student: the same, teacher's embedding": also(embedding=whole.embedding),
        "student: the same, teacher's features": also(features=1.0),
        "student: teacher's features alone": StudentSteps(replace(nothing, features=1.0, **trunk)),
        "student: teacher's features alone, in windows": StudentSteps(
            replace(nothing, features=1.0, window=256, **trunk)
        ),
        "student: the same, teacher's grades": also(grades=whole.grades),
        "student: the same, teacher's antonym pairs": also(pairs=whole.pairs),
        "student: the same, its score with the reference known (CKDN)": also(score=whole.score, privileged=True),
        "student: the same, its score weighed by its confidence": also(score=whole.score, confident=True),
        "student: the same, kind × level named (CONTRIQUE)": also(kinds=0.1),
        "student: all of stage C": StudentSteps(whole),
        "student: all of it, half of the start's weights (WiSE-FT)": StudentSteps(whole, keep_start=0.5),
        "student: all of it, moving average of weights": StudentSteps(whole, average=0.9),
    }


def teacher_rows() -> dict[str, TeacherSteps]:
    """Name of a row → the stages."""
    seen = OpinionConfig(INPUT_SPEC.height, INPUT_SPEC.width, validation=0)
    none = replace(seen, fidelity=0.0, mse=0.0, plcc=0.0)
    return {
        "teacher: fitted projection, frozen trunk": TeacherSteps(),
        "teacher: stage A": TeacherSteps(AlignmentConfig()),
        "teacher: stage B": TeacherSteps(opinions=seen),
        "teacher: stages A and B": TeacherSteps(AlignmentConfig(), seen),
        "teacher: stage A, symmetric negatives (TripletCLIP)": TeacherSteps(AlignmentConfig(symmetric=1.0)),
        "teacher: stage A, attributes' pairs": TeacherSteps(AlignmentConfig(attributes=1.0)),
        "teacher: stage A, learnable context": TeacherSteps(AlignmentConfig(), context_tokens=4),
        "teacher: stage B, fidelity alone": TeacherSteps(opinions=replace(none, fidelity=1.0)),
        "teacher: stage B, squared error alone": TeacherSteps(opinions=replace(none, mse=1.0)),
        "teacher: stage B, correlation alone": TeacherSteps(opinions=replace(none, plcc=1.0)),
    }
