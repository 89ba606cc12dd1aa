"""``python -m distill``: train a teacher, and distil it into a student.

A command imports its own modules alone: torch takes seconds, and ``--help`` none of them.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import tyro
from pocketiqa.exit_status import run_command


def _teacher(arguments: list[str]) -> dict[str, object]:
    """train a CLIP teacher on pristine photos (stage A) and on people's scores (stage B)"""
    from distill.stages.train_teacher import TeacherRunConfig, train_teacher

    return train_teacher(tyro.cli(TeacherRunConfig, prog="python -m distill teacher", args=arguments))


def _trunk(arguments: list[str]) -> dict[str, object]:
    """train a student's trunk from a live CLIP teacher, on a GPU"""
    from distill.stages.train_trunk import TrunkConfig, train_trunk

    return train_trunk(tyro.cli(TrunkConfig, prog="python -m distill trunk", args=arguments))


def _student(arguments: list[str]) -> dict[str, object]:
    """train a student: heads on a frozen trunk, and with --teacher the trunk too (stage C)"""
    from distill.stages.train_student import StudentConfig, train_student

    config = tyro.cli(StudentConfig, prog="python -m distill student", args=arguments)
    if config.preset == "smoke":
        config = replace(config, teacher=config.run / "teacher")
        _teacher(["--run", str(config.teacher), "--preset", "smoke", "--seed", str(config.seed)])
    return train_student(config)["validation"]


def _teacher_scores(arguments: list[str]) -> dict[str, object]:
    """write a teacher's scores of a MOS set as a CSV"""
    from distill.stages.score_photos import TeacherScoresConfig, write_teacher_scores

    return write_teacher_scores(tyro.cli(TeacherScoresConfig, prog="python -m distill teacher-scores", args=arguments))


def _labels(arguments: list[str]) -> dict[str, object]:
    """write CLIP's scores of photos and of severity ladders, for the student's heads"""
    from distill.stages.label_photos import LabelsConfig, label_photos

    return label_photos(tyro.cli(LabelsConfig, prog="python -m distill labels", args=arguments))


def _explain(arguments: list[str]) -> dict[str, object]:
    """say what each view, depth and hidden unit added to a photo's score"""
    from distill.stages.explain_score import ExplainConfig, explain_score

    return explain_score(tyro.cli(ExplainConfig, prog="python -m distill explain", args=arguments))


_COMMANDS = {
    "teacher": _teacher, "trunk": _trunk, "student": _student, "teacher-scores": _teacher_scores, "labels": _labels,
    "explain": _explain,
}  # fmt: skip
_USAGE = f"usage: python -m distill {{{','.join(_COMMANDS)}}} [options]"


def main() -> int:
    return run_command("distill", _run, interrupted="stopped; the same command goes on from what was last saved")


def _run() -> None:
    name, *arguments = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help"):
        print("\n".join([_USAGE, "", *(f"  {one:16}{does.__doc__}" for one, does in _COMMANDS.items())]))
    elif name not in _COMMANDS:
        raise ValueError(f"there is no command {name!r}; {_USAGE}")
    else:
        print(json.dumps(_COMMANDS[name](arguments), indent=2, allow_nan=False))


if __name__ == "__main__":
    sys.exit(main())
