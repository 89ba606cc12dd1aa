"""How well does every artifact agree with the graph that it came from, on photos of your own?

    python -m mobile_export agreement --images PHOTOS

The ladder judges 24 golden photos at every build; this measures the same pairs once, on as many photos as there are.
Packages are interpreted with float16 rounding, as phones compute; "f32" interprets the int8 one in float32, which
shows the conversion alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from pocketiqa.files import sha256_of
from pocketiqa.parity import compare
from pocketiqa.preprocess import preprocess
from pocketiqa.runtime import load_program
from tqdm import tqdm

from distill.networks.student import INPUT_SPEC, SHIPPED_STUDENT, load_student
from mobile_export.build import DEFAULT_OUT
from mobile_export.verify.mil_reference import MilProgram, Precision
from quantize.prepare import convert
from quantize.state import SHIPPED as SHIPPED_INT8
from quantize.state import load_prepared

PAIRS = (
    ("eager float", "fp32 .pte"),
    ("eager float", "coreml_fp16"),
    ("converted int8", "int8 .pte"),
    ("converted int8", "coreml_w8a8 f32"),
    ("converted int8", "coreml_w8a8"),
    ("eager float", "converted int8"),
    ("eager float", "int8 .pte"),
    ("eager float", "coreml_w8a8"),
    ("eager float", "coreml_int8_weights"),
    ("eager float", "coreml_palettized"),
)
_ENDINGS = {".jpg", ".jpeg", ".png"}


@dataclass(frozen=True)
class AgreementConfig:
    """What is measured, and on what.

    Attributes:
        images: a folder of photos, descended into.
        bundle: as ``python -m mobile_export`` wrote it.
        student, int8: what the bundle was built from.
        limit: photos at most, spread evenly over the sorted names.
    """

    images: Path
    bundle: Path = DEFAULT_OUT
    student: Path = SHIPPED_STUDENT
    int8: Path = SHIPPED_INT8
    limit: int = 120


def agreement_table(config: AgreementConfig) -> str:
    """The pairs' figures as text.

    Raises:
        FileNotFoundError: no photos, no bundle or no student there.
    """
    photos = sorted(path for path in config.images.rglob("*") if path.suffix.lower() in _ENDINGS)
    if not photos:
        raise FileNotFoundError(f"{config.images} holds no photos ({', '.join(sorted(_ENDINGS))})")
    photos = [photos[round(i)] for i in np.linspace(0, len(photos) - 1, min(config.limit, len(photos)))]
    with torch.no_grad():
        runs = _runs(config)
        scores: dict[str, list[float]] = {name: [] for name in runs}
        for photo in tqdm(photos, unit="photo", disable=None):
            views = preprocess(photo, INPUT_SPEC)
            for name, run in runs.items():
                scores[name].append(float(np.asarray(run(views)).ravel()[0]))
    deviation = float(np.std(scores["eager float"]))
    lines = [
        f"n = {len(photos)} photos; the float scores' standard deviation is {deviation:.4f}",
        f"{'reference':<16}{'candidate':<21}{'SRCC':>8}{'mean |Δ|':>11}{'max |Δ|':>10}{'mean / deviation':>18}",
    ]
    for reference, candidate in PAIRS:
        if candidate in scores:
            report = compare(scores[reference], scores[candidate])
            lines.append(
                f"{reference:<16}{candidate:<21}{report.srcc:8.5f}{report.mean_abs:11.2e}{report.max_abs:10.2e}"
                f"{report.mean_abs / deviation:18.2%}"
            )
    return "\n".join(lines)


def _runs(config: AgreementConfig) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    student = load_student(config.student)
    converted = convert(load_prepared(student, config.int8, sha256_of(config.student))).module()
    runs: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "eager float": lambda views: student(torch.from_numpy(views))[0].numpy(),
        "converted int8": lambda views: converted(torch.from_numpy(views))[0].numpy(),
    }
    for variant in ("fp32", "int8"):
        program = load_program(config.bundle / "xnnpack" / f"student_{variant}.pte", prefer="executorch")
        runs[f"{variant} .pte"] = lambda views, program=program: program.run(views)[0]
    for variant in ("fp16", "w8a8", "int8_weights", "palettized"):
        path = config.bundle / "coreml" / f"student_{variant}.mlpackage"
        if path.is_dir():
            package = MilProgram.read(path)
            runs[f"coreml_{variant}"] = partial(_interpret, package, "float16")
            if variant == "w8a8":
                runs["coreml_w8a8 f32"] = partial(_interpret, package, "float32")
    return runs


def _interpret(package: MilProgram, precision: Precision, views: np.ndarray) -> np.ndarray:
    return package.run({"photo": views}, precision)["quality"]
