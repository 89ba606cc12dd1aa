"""``python -m quantize --images DIR [--mos CSV]``: the float student to int8, judged on photos that it never saw."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from pocketiqa.files import sha256_of

from distill.data.degraded_photos import DegradedPhoto
from distill.networks.student import SHIPPED_STUDENT
from quantize.calibration import (
    Inputs,
    PhotoSplit,
    clean,
    degraded_copies,
    degraded_half,
    digest,
    load_inputs,
    photos_below,
    read_mos,
    split_photos,
    stratified,
)
from quantize.figures import Bounds, Figures, measure, table
from quantize.networks import FLOAT_LAYERS, NETWORKS, NetworkName
from quantize.prepare import Prepared, convert
from quantize.program import Lowered, lower, lower_float
from quantize.qat import QatConfig
from quantize.recipe import Recipe, TuningPhotos, quantize
from quantize.state import SHIPPED, save_prepared


@dataclass(frozen=True)
class PhotosConfig:
    """On which photos a float student is quantized.

    Attributes:
        images: a folder of photos; half of those to tune on are degraded, and each to validate on has a degraded copy.
        mos: a CSV of file name and opinion; only photos in it are used, and the loss in SRCC to them is measured.
        student: the float student.
        network: what it is.
        calibration: photos, of those to tune on, that set ranges and round weights; spread over the float score.
        tuning: photos that heads and fine-tuning learn from; no opinions are used.
        validation: photos on which the figures are measured, each clean and degraded.
        seed: of the photos' order and of their degradations.
    """

    images: Path
    mos: Path | None = None
    student: Path = SHIPPED_STUDENT
    network: NetworkName = "lite0"
    calibration: int = 64
    tuning: int = 1000
    validation: int = 600
    seed: int = 0


@dataclass(frozen=True)
class QuantizeConfig(PhotosConfig):
    """What is quantized, how, and on which photos.

    Attributes:
        out: where the quantized student is written.
        keep_float: dotted names of modules that stay float whatever control decides; by default the network's first
            layers (``networks.FLOAT_LAYERS`` says why).
        max_drop: ends with a verdict: how far the rank correlation with the float student may be from 1 and, with
            opinions, how far the one with them may fall. Layers are reverted to float until both hold.
        qat: fine-tuning after PTQ; the better of the two is kept. 0 steps leave it out.
    """

    out: Path = SHIPPED
    keep_float: tuple[str, ...] | None = None
    max_drop: float | None = None
    qat: QatConfig = field(default_factory=QatConfig)


@dataclass(frozen=True)
class Subject:
    """A float student, its photos and its scores for them; ``rungs`` are what ``validation`` holds."""

    student: torch.nn.Module
    program: Lowered
    split: PhotoSplit
    photos: TuningPhotos
    rungs: list[DegradedPhoto]
    validation: Inputs
    reference: np.ndarray
    mos: np.ndarray | None
    calibration_digest: str

    def judge(self, lowered: Lowered, title: str) -> Figures:
        """Figures of a quantized program over the validation photos."""
        return measure(self.reference, lowered.quality(self.validation, f"{title}: scores")[:, 0], self.mos)


def load_subject(config: PhotosConfig) -> Subject:
    """Read the student and its photos, and score them with the float program.

    Raises:
        CalibrationError: too few photos, unreadable ones, or noise.
        FileNotFoundError: no student.
    """
    torch.manual_seed(config.seed)
    student = NETWORKS[config.network](config.student)
    opinions = None if config.mos is None else read_mos(config.mos)
    split = split_photos(photos_below(config.images, opinions), config.tuning, config.validation, config.seed)
    tuning_rungs = degraded_half(split.tuning, config.seed)
    tuning = load_inputs(tuning_rungs, "photos to tune on")
    rungs = clean(split.validation) + degraded_copies(split.validation, config.seed + 1)
    validation = load_inputs(rungs, "photos to validate")
    program = lower_float(student)
    targets = program.quality(tuning, "float: scores to tune on")
    rows = stratified(targets[:, 0], config.calibration)
    return Subject(
        student=student,
        program=program,
        split=split,
        photos=TuningPhotos(tuning, targets, tuning.take(rows)),
        rungs=rungs,
        validation=validation,
        reference=program.quality(validation, "float: scores")[:, 0],
        mos=None if opinions is None else np.array([opinions[path.name] for path in split.validation]),
        calibration_digest=digest([tuning_rungs[position] for position in rows]),
    )


def quantize_student(config: QuantizeConfig) -> tuple[str, bool]:
    """Quantize, write the best and its record; a Markdown report, and whether the student is within ``max_drop``.

    Raises:
        CalibrationError: too few photos, unreadable ones, or noise.
        FileNotFoundError: no student.
    """
    from quantize.control import within_max_drop

    subject = load_subject(config)
    kept = FLOAT_LAYERS[config.network] if config.keep_float is None else config.keep_float
    recipes = {"PTQ": Recipe(float_modules=frozenset(kept))}
    if config.qat.steps:
        recipes["QAT"] = dataclasses.replace(recipes["PTQ"], fine_tuning=config.qat)
    candidates: dict[str, tuple[Prepared, Figures]] = {}
    for name, recipe in recipes.items():
        prepared = quantize(subject.student, subject.photos, recipe, name)
        candidates[name] = prepared, subject.judge(lower(convert(prepared)), name)
    best = min(candidates, key=lambda name: candidates[name][1].mean_abs)
    float_modules = frozenset(kept)
    lines = []
    if config.max_drop is not None:
        outcome = within_max_drop(subject, candidates[best], recipes[best], config.max_drop)
        lines = outcome.lines
        if outcome.float_modules:
            float_modules = outcome.float_modules
            best = f"{best} + control"
            candidates[best] = outcome.prepared, outcome.figures
    prepared, figures = candidates[best]
    record = {
        "command": "python -m quantize " + shlex.join(Path(a).name if a.startswith("/") else a for a in sys.argv[1:]),
        "seed": config.seed,
        "student_sha256": sha256_of(config.student),
        "shipped": best,
        "float_modules": sorted(float_modules),
        "qat": dataclasses.asdict(config.qat),
        "calibration": {"n": len(subject.photos.calibration), "sha256": subject.calibration_digest},
        "tuning": len(subject.photos.inputs),
        "validation": {name: figures.to_dict() for name, (_, figures) in candidates.items()},
    }
    save_prepared(prepared, config.out, record)
    broken = figures.broken(Bounds())
    lines.append("every bound of the product holds" if not broken else "bounds broken: " + "; ".join(broken))
    rows = {name: figures for name, (_, figures) in candidates.items()}
    return "\n".join([table(rows), "", *lines]), config.max_drop is None or outcome.holds
