"""PTQ and QAT of one float student, compared with it on photos that neither saw; the better is kept."""

from __future__ import annotations

import copy
import dataclasses
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from pocketiqa.files import sha256_of
from pocketiqa.parity import ParityReport, compare
from tqdm import tqdm

from distill.student import SHIPPED_STUDENT, Student, load_student
from quantize.calibration import digest, load_inputs, split_photos
from quantize.prepare import Prepared, prepare
from quantize.ptq import calibrate, correct_bias
from quantize.qat import QatConfig, fine_tune
from quantize.state import SHIPPED, save_prepared


@dataclass(frozen=True)
class QuantizeConfig:
    """What is quantized, and on which photos.

    Attributes:
        images: a folder of photos, dealt out to calibration, fine-tuning and validation; no scores needed.
        student: the float student.
        out: where the quantized one is written.
        calibration: photos that set the ranges.
        fine_tuning: photos that QAT learns from.
        validation: photos on which the figures are measured.
        seed: of the photos' order.
        qat: steps and rates of the fine-tuning.
    """

    images: Path
    student: Path = SHIPPED_STUDENT
    out: Path = SHIPPED
    calibration: int = 64
    fine_tuning: int = 200
    validation: int = 100
    seed: int = 0
    qat: QatConfig = field(default_factory=QatConfig)


def quantize_student(config: QuantizeConfig) -> str:
    """Quantize both ways, write the better and its record, and return a Markdown table of both.

    Raises:
        CalibrationError: too few photos, unreadable ones, or noise.
        FileNotFoundError: no student.
    """
    torch.manual_seed(config.seed)
    student = load_student(config.student)
    photos = split_photos(config.images, config.calibration, config.fine_tuning, config.validation, config.seed)
    validation = load_inputs(photos.validation)
    reference = scores(student, validation, "float")

    prepared = prepare(student)
    calibration = load_inputs(photos.calibration)
    calibrate(prepared, tqdm(calibration, desc="calibration"))
    candidates = {"PTQ": prepared}
    if config.qat.steps and photos.fine_tuning:
        tuned = copy.deepcopy(prepared)
        with tqdm(total=config.qat.steps, desc="QAT") as bar:

            def report(step: int, loss: float) -> None:
                bar.set_postfix(loss=f"{loss:.5f}")
                bar.update()

            fine_tune(tuned, student, load_inputs(photos.fine_tuning), config.qat, report)
        candidates["QAT"] = tuned

    for candidate in candidates.values():
        correct_bias(candidate, student, calibration)
    names = [path.name for path in photos.validation]
    reports = {
        name: compare(reference, scores(candidate, validation, name), names) for name, candidate in candidates.items()
    }
    best = min(reports, key=lambda name: reports[name].mean_abs)
    record = {
        "command": "python -m quantize " + shlex.join(Path(a).name if a.startswith("/") else a for a in sys.argv[1:]),
        "seed": config.seed,
        "student_sha256": sha256_of(config.student),
        "shipped": best,
        "qat": dataclasses.asdict(config.qat),
        "calibration": {"n": len(photos.calibration), "sha256": digest(photos.calibration)},
        "validation": {name: summary(report) for name, report in reports.items()},
    }
    save_prepared(candidates[best], config.out, record)
    return table(reports, best)


@torch.no_grad()
def scores(network: Student | Prepared, inputs: list[torch.Tensor], title: str) -> np.ndarray:
    """Float64 scores in [0, 1], one per input."""
    return np.array([network(views)[0][0, 0].item() for views in tqdm(inputs, desc=f"scores, {title}")])


def summary(report: ParityReport) -> dict[str, float]:
    """The figures that a record keeps."""
    kept = ("n", "srcc", "mean_abs", "max_abs", "bias", "flip_rate")
    return {name: round(getattr(report, name), 6) for name in kept}


def table(reports: dict[str, ParityReport], best: str) -> str:
    """A Markdown table: one row a method."""
    lines = ["| | n | SRCC to float | mean \\|Δ\\| | max \\|Δ\\| | bias |", "| --- |" + " ---: |" * 5]
    for name, report in reports.items():
        mark = " (shipped)" if name == best else ""
        lines.append(
            f"| {name}{mark} | {report.n} | {report.srcc:.4f} | {report.mean_abs:.4f} | {report.max_abs:.4f} "
            f"| {report.bias:+.4f} |"
        )
    return "\n".join(lines)
