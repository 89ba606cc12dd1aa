"""A teacher from its name, or from the run that trained it (``teacher.safetensors`` and ``teacher.json``)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
from pocketiqa.files import atomic_file

from distill.networks.tensors import load_tensors, save_tensors
from distill.teacher.teacher import Teacher, TeacherConfig
from distill.teacher.towers import load_clip
from distill.teacher.two_towers import TeacherError

_WEIGHTS, _FILE = "teacher.safetensors", "teacher.json"


@dataclass(frozen=True)
class _Record:
    """What ``teacher.json`` holds; a figure without a value is null."""

    teacher: TeacherConfig
    validation: dict[str, float | None]


def load_teacher(config: TeacherConfig) -> Teacher:
    """A teacher in evaluation mode.

    Raises:
        TeacherError: there is no such model, or its weights cannot be had.
    """
    return Teacher(load_clip(config.model), config).eval()


def save_trained_teacher(teacher: Teacher, run: Path, figures: dict[str, float | None]) -> None:
    """Write the parts that training changes, and a record with the validation ``figures``."""
    save_tensors(teacher.learnt().state_dict(), run / _WEIGHTS, {"model": teacher.config.model})
    record = msgspec.json.encode(_Record(teacher.config, figures))
    with atomic_file(run / _FILE, "wb") as stream:
        stream.write(msgspec.json.format(record) + b"\n")


def load_trained_teacher(run: Path) -> Teacher:
    """The teacher of a finished run, in evaluation mode.

    Raises:
        TeacherError: the folder holds none.
    """
    record = run / _FILE
    if not record.is_file():
        raise TeacherError(f"no teacher in {run}; train one with: python -m distill teacher --run {run}")
    try:
        config = msgspec.json.decode(record.read_bytes(), type=_Record).teacher
    except msgspec.DecodeError:
        raise TeacherError(f"{record} is damaged; the same python -m distill teacher writes it again") from None
    teacher = load_teacher(config)
    load_tensors(teacher.learnt(), run / _WEIGHTS)
    return teacher.eval()
