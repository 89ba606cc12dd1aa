"""The checks of a Core ML package: its weights, its layers, its outputs. The package is read as it lies on disk."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pocketiqa import promises

from mobile_export.lower.coreml_pte import extract_package
from mobile_export.lower.request import Run
from mobile_export.verify.checks import Subject
from mobile_export.verify.ladder import ParityCheck, not_executed
from mobile_export.verify.layers import Gap, LayerMismatch, output_gaps, torch_layers, weight_gaps
from mobile_export.verify.mil_reference import MilProgram, Precision, UnknownOperator, coreml_predict

_PHOTOS_FOR_LAYERS = 2


def open_package(path: Path, precision: Precision = "float16") -> Run:
    """The quality vector that the reference interpreter gives, rounding as phones do."""
    return _run(MilProgram.read(path), precision)


def open_package_in_float32(path: Path) -> Run:
    """The same without float16's rounding: what the conversion alone did."""
    return open_package(path, "float32")


def open_coreml_pte(path: Path) -> Run:
    """As :func:`open_package`, of the package inside a Core ML ``.pte``."""
    with tempfile.TemporaryDirectory() as folder:
        return open_package(extract_package(path.read_bytes(), Path(folder)))


def check_package(subject: Subject) -> None:
    """Verify a package against the graph that it was converted from.

    Where the interpreter lacks an operator of the program, the row says so and nothing is compared.

    Raises:
        BrokenParityCheck: the first comparison that does not hold.
        MilError: the package is damaged.
    """
    if (program := _readable(subject, subject.path)) is None:
        return
    ladder, reference, name = subject.ladder, subject.reference, subject.step
    graph = subject.graph.module()
    expected = torch_layers(graph, ladder.photos[0])
    try:
        ladder.add(_layer_check(reference, name, "weights", weight_gaps(program, expected), promises.WEIGHTS))
        gaps = list(output_gaps(program, expected, ladder.photos[0], "float16"))
        for views in ladder.photos[1:_PHOTOS_FOR_LAYERS]:
            gaps += output_gaps(program, torch_layers(graph, views), views, "float16")
    except LayerMismatch as error:  # a program with other layers is broken too
        ladder.add(ParityCheck(reference, name, "layers", 0, np.inf, np.inf, None, str(error), False))
    ladder.add(_layer_check(reference, name, "layers", gaps, layer_bound(program)))
    _check_interpreted(subject, program)


def check_coreml_pte(subject: Subject) -> None:
    """Verify the outputs of the package inside a Core ML ``.pte``; raises as :func:`check_package` does."""
    with tempfile.TemporaryDirectory() as folder:
        inside = extract_package(subject.path.read_bytes(), Path(folder))
        if (program := _readable(subject, inside)) is not None:
            _check_interpreted(subject, program)


def layer_bound(program: MilProgram) -> float:
    """The most that a layer may differ by, relative: int8 scales are rounded to float16, which moves some values."""
    return promises.LAYER_INT8 if "quantize" in program.operators.values() else promises.LAYER_FLOAT16


def _readable(subject: Subject, path: Path) -> MilProgram | None:
    try:
        return MilProgram.read(path)
    except UnknownOperator as error:
        why = f"the reference interpreter lacks the operator {error.operator}"
        subject.ladder.add(not_executed(subject.reference, subject.step, why))
        subject.notes.append(f"{subject.name} was built and not executed here: {why}.")
        return None


def _check_interpreted(subject: Subject, program: MilProgram) -> None:
    """Compare a package's outputs; on macOS those of Core ML itself as well."""
    ladder = subject.ladder
    ladder.step(subject.step, _run(program, "float16"))
    for reference, bound in subject.compared:
        ladder.check(reference, subject.step, bound)
    if sys.platform == "darwin":
        by_apple = f"{subject.name} (Core ML)"
        (photo,), quality = program.inputs, program.outputs[0]
        ladder.step(by_apple, lambda views: coreml_predict(program.path, {photo: views})[quality])
        ladder.check(subject.step, by_apple, subject.compared[0][1])


def _run(program: MilProgram, precision: Precision) -> Run:
    # A package inside a .pte has names of its own, in the graph's order: one input, and the quality first.
    (photo,), quality = program.inputs, program.outputs[0]
    return lambda views: program.run({photo: views}, precision)[quality]


def _layer_check(reference: str, candidate: str, kind: str, gaps: Sequence[Gap], bound: float) -> ParityCheck:
    """Weights or layers as a check; its worst is the *first* one outside the bound, else the largest."""
    errors = np.array([gap.error for gap in gaps])
    outside = np.flatnonzero(~(errors <= bound))
    worst = gaps[int(outside[0]) if len(outside) else int(errors.argmax())]
    return ParityCheck(
        reference=reference,
        candidate=candidate,
        inputs=kind,
        n=len(gaps),
        max_abs=float(errors.max()),
        mean_abs=float(errors.mean()),
        srcc=None,
        bound=f"relative ≤ {bound:.2g}",
        holds=not len(outside),
        worst=worst.name,
    )
