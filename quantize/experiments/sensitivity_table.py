"""``python -m quantize sensitivity``: each layer alone in int8 and alone in float, as a table and a bar chart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from quantize.quantize_student import PhotosConfig, load_subject
from quantize.recipe import Recipe, quantize
from quantize.sensitivity import markdown, sensitivity, write


@dataclass(frozen=True)
class SensitivityConfig(PhotosConfig):
    """Which photos the layers are measured on.

    Attributes:
        photos: of those to calibrate on; two passes over them per layer take the time.
        out: a folder for sensitivity.md, .json and .png.
    """

    photos: int = 16
    out: Path = Path("runs/sensitivity")


def measure_sensitivity(config: SensitivityConfig) -> tuple[str, bool]:
    """The table, also written to ``out``.

    Raises:
        CalibrationError: too few photos, unreadable ones, or noise.
        FileNotFoundError: no student.
    """
    subject = load_subject(config)
    prepared = quantize(subject.student, subject.photos, Recipe(weights="nearest", heads="kept"), "nearest rounding")
    calibration = subject.photos.calibration
    few = calibration.take(range(0, len(calibration), max(1, len(calibration) // config.photos)))
    rows = sensitivity(prepared, few, subject.program.quality(few, "float"))
    write(rows, len(few), config.out)
    return markdown(rows, len(few)), True
