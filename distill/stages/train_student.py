"""Train the student: first its heads on a frozen trunk, then, with a teacher, stage C's distillation.

    python -m distill student --mos-set biq2021 --mos-folder DIR --pristine DIR [DIR ...]
    python -m distill student … --teacher runs/teacher --run runs/student
    python -m distill student … --trunk runs/trunk --labels runs/labels.csv

The first line fits the heads to people's scores and to severity ladders; the trunk is the shipped student's. In the
second line three tenths of each score are the teacher's, stage C trains the trunk beneath those heads, and they are
fitted again to what it has become, unless ``--distil.steps.steps 0`` ends before it. The third line fits them to a
trunk that ``python -m distill trunk`` has trained from a live teacher, and to what ``python -m distill labels`` says of
scored photos, of others and of degraded copies. The student is written as
safetensors beside a JSON file with the command, seed, data hashes and validation figures that made it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from distill.data.degraded_photos import DegradedPhoto, pristine_photos, reduced, severity_ladders
from distill.data.enough import check_opinions
from distill.data.mos_sets import MOS_SETS, VALIDATION_SHARE, MosSet, MosSetError, split_by_hash
from distill.data.smoke_photos import write_smoke_photos
from distill.data.training_photos import check_photos
from distill.heads.attributes import AttributesConfig, fit_attributes
from distill.heads.hidden_units import HiddenUnitsConfig, fit_hidden_units
from distill.networks.student import (
    INPUT_SPEC,
    SHIPPED_STUDENT,
    Student,
    StudentFeatures,
    load_student,
    stack_heads,
)
from distill.stages.distil import DistilConfig, distil
from distill.stages.distillation import DistillationConfig
from distill.stages.prepare_lesson import prepare_lesson
from distill.stages.student_record import save_student, student_record, validation_figures
from distill.stages.trunk_run import load_trunk_run
from distill.teacher.load import load_trained_teacher
from distill.teacher.targets import features_and_embeddings, pseudo_labels
from distill.teacher.teacher import Teacher
from distill.training.feature_sets import ladder_features, scored_features
from distill.training.features import LadderFeatures, ScoredFeatures
from distill.training.frozen_trunk import FrozenTrunk
from distill.training.labels import Labels, labelled_features, read_labels
from distill.training.run_folder import RunFolder
from distill.training.trainer import TrainerConfig


@dataclass(frozen=True)
class StudentConfig:
    """What the student is trained on, and how.

    Attributes:
        mos_folder: where the MOS set lies.
        pristine: folders of undistorted photos, degraded on the fly.
        mos_set: name of the MOS set.
        preset: ``smoke`` trains a teacher and a student to their ends in a minute, on photos that packages carry.
        run: folder of the run.
        out: where the student is written; by default ``student.safetensors`` in the run's folder.
        ship: write it to ``distill/networks/weights``, from where every later command takes it.
        teacher: the run folder of a trained teacher; without it people's scores are all that the heads learn from.
        trunk: the run folder of a trained trunk, in the place of ``teacher``.
        labels: what ``python -m distill labels`` wrote. Its scores of the MOS set's photos are taken for the teacher's,
            and the heads are fitted to all that it holds beside them too.
        cache: where the frozen trunk's features are kept.
        kinds_per_photo: severity ladders for each pristine photo.
        limit: use only so many MOS photos and pristine photos; for a trial run.
        seed: of degradations and initialisation.
        licence: of the weights, for the bundle.
        terms: under which the training photos are published, for the model card.
        attributes: how the attributes' heads are fitted.
        hidden: how the score's head with its hidden units is fitted.
        distil: stage C's settings.
    """

    mos_folder: Path | None = None
    pristine: list[Path] = field(default_factory=list)
    mos_set: Literal[tuple(MOS_SETS)] = "biq2021"
    preset: Literal["full", "smoke"] = "full"
    run: Path = Path("runs/student")
    out: Path | None = None
    ship: bool = False
    teacher: Path | None = None
    trunk: Path | None = None
    labels: Path | None = None
    cache: Path = Path("runs/cache")
    kinds_per_photo: int = 2
    limit: int | None = None
    seed: int = 0
    licence: str | None = None
    terms: str | None = None
    attributes: AttributesConfig = field(default_factory=AttributesConfig)
    hidden: HiddenUnitsConfig = field(default_factory=HiddenUnitsConfig)
    distil: DistilConfig = field(default_factory=DistilConfig)

    @property
    def file(self) -> Path:
        """Where the student is written."""
        return SHIPPED_STUDENT if self.ship else self.out or self.run / "student.safetensors"


def smoke(config: StudentConfig) -> StudentConfig:
    """The same run in small, every switch on: a few photos, two steps of stage C."""
    pristine, scored = write_smoke_photos(config.run / "photos")
    steps = TrainerConfig(steps=2, batch=2, rate=1e-4, average=0.5, every=2)
    return replace(
        config,
        mos_folder=scored,
        pristine=[pristine],
        mos_set="own",
        out=None,
        ship=False,
        cache=config.run / "cache",
        kinds_per_photo=1,
        distil=DistilConfig(loss=DistillationConfig(features=1.0, kinds=0.1, window=256), steps=steps),
    )


def train_student(config: StudentConfig) -> dict[str, object]:
    """Fit, validate and write a student; returns its record, which is also written as JSON.

    Raises:
        MosSetError: a data folder is missing or empty, scores teach nothing, or photos cannot be used.
        TeacherError: there is no trained teacher where one is named.
        RunError: the run's folder holds another run.
        TrainingStopped: stage C broke off.
        ValueError: ``ship`` and ``out`` name two places, or ``teacher`` and ``trunk`` two teachers.
    """
    if config.preset == "smoke":
        config = smoke(config)
    if config.ship and config.out:
        raise ValueError(f"--ship writes {SHIPPED_STUDENT.name} to its own place: leave out --out {config.out}")
    if config.teacher and config.trunk:
        raise ValueError(
            f"the trunk in {config.trunk} has a teacher of its own: leave out --teacher {config.teacher}, or --trunk"
        )
    if config.mos_folder is None or not config.pristine:
        raise MosSetError("a student is trained on scores and on undistorted photos: give --mos-folder and --pristine")
    torch.manual_seed(config.seed)
    mos_set = MOS_SETS[config.mos_set](config.mos_folder, "train")
    photos = pristine_photos(config.pristine)
    if config.limit is not None:
        mos_set = mos_set.take(np.arange(len(mos_set)) < config.limit)
        photos = photos[: config.limit]
    held_out = split_by_hash(mos_set.paths, VALIDATION_SHARE)
    check_opinions(mos_set, held_out)
    check_photos(mos_set.paths)
    check_photos(photos, reduced)
    copies = severity_ladders(photos, config.kinds_per_photo, config.seed)
    teacher = None if config.teacher is None else load_trained_teacher(config.teacher)
    trunk = None if config.trunk is None else load_trunk_run(config.trunk)
    student = load_student(SHIPPED_STUDENT) if trunk is None else trunk.student()
    told, more = None, None
    if config.labels is not None:
        more = read_labels(config.labels)
        told = more.of(mos_set)
    elif teacher is not None:
        told = pseudo_labels(teacher, mos_set, config.cache)
    elif trunk is not None:
        told = trunk.scores(mos_set)
    scored, ladders, figures = _fit_heads(student, mos_set, copies, told, more, held_out, config)
    trunk_learns = teacher is not None and config.distil.steps.steps > 0
    distilled = {}
    if trunk_learns:
        distilled = _distil(student, teacher, mos_set, copies, scored, ladders, config)
        *_, figures = _fit_heads(student, mos_set, copies, told, more, held_out, config)
    record = student_record(
        seed=config.seed,
        fitted={"attributes": dataclasses.asdict(config.attributes), "hidden": dataclasses.asdict(config.hidden)},
        data={
            "mos_set": config.mos_set,
            "photos": int((~held_out).sum()),
            "sha256": mos_set.take(~held_out).digest(),
            "pristine_photos": len(photos),
            "rungs": len(ladders.targets),
            **({"terms": config.terms} if config.terms else {}),
        },
        figures=figures,
    )
    if config.licence:
        record["licence"] = config.licence
    if teacher is not None:
        # The bundle's manifest and its model card know the share of pseudo-labels as "told".
        how = dataclasses.asdict(config.distil)
        record["distillation"] = {"told": how.pop("pseudo_labels"), **how} | {
            "teacher": dataclasses.asdict(teacher.config) | {"sha256": teacher.fingerprint()},
            "validation": distilled,
        }
    if trunk is not None:
        record["distillation"] = {"told": config.distil.pseudo_labels, **trunk.record}
    if more is not None:
        record.setdefault("distillation", {"told": config.distil.pseudo_labels})["labels"] = more.record
    save_student(student, record, config.file)
    return record


def _fit_heads(
    student: Student,
    mos_set: MosSet,
    copies: list[DegradedPhoto],
    told: torch.Tensor | None,
    labels: Labels | None,
    held_out: np.ndarray,
    config: StudentConfig,
) -> tuple[ScoredFeatures, LadderFeatures, dict[str, object]]:
    """Fit the heads of ``student`` to its trunk as it is; what they were fitted to, and their figures."""
    trunk = FrozenTrunk(StudentFeatures(student), INPUT_SPEC)
    scored = scored_features(mos_set, trunk, config.cache)
    ladders = ladder_features(copies, trunk, config.cache)
    targets = scored if told is None else scored.blended(told, config.distil.pseudo_labels)
    teaching = own = targets.take(~held_out)
    if labels is not None:
        for more in labelled_features(labels, mos_set, trunk, config.cache):
            teaching = teaching.joined(more)
    score = fit_hidden_units(teaching, ladders, config.hidden, config.seed)
    heads = stack_heads(score, fit_attributes(ladders, own.features, config.attributes))
    student.heads.set_linear(*heads)
    return scored, ladders, validation_figures(scored, told, held_out, heads)


def _distil(
    student: Student,
    teacher: Teacher,
    mos_set: MosSet,
    copies: list[DegradedPhoto],
    scored: ScoredFeatures,
    ladders: LadderFeatures,
    config: StudentConfig,
) -> dict[str, float]:
    folder = RunFolder(
        config.run / "distillation",
        dataclasses.asdict(config.distil) | {"teacher": teacher.fingerprint(), "seed": config.seed},
    )
    known, embedding = features_and_embeddings(teacher, mos_set, copies, config.cache)
    features = torch.cat([scored.features, ladders.features])
    known = known if config.distil.loss.features else None
    lesson = prepare_lesson(mos_set, copies, features, embedding, INPUT_SPEC, known)
    return distil(student, lesson, teacher.text().detach(), teacher.config.scoring, folder, config.seed, config.distil)
