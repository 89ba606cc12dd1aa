"""What is checked of an artifact on disk: its outputs, what lies inside it, its own test cases, another runtime."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pocketiqa.errors import PocketiqaError
from pocketiqa.promises import SAME_GRAPH as SAME_NUMBERS

from mobile_export.lower.bundled_program import bundled_cases, run_bundled_program
from mobile_export.lower.request import Run
from mobile_export.verify.bounds import SAME_GRAPH, Bound, Promised
from mobile_export.verify.ladder import ParityCheck, ParityLadder, refused
from mobile_export.verify.torch_free import NoTorchFreeRuntime, find_python, run_torch_free


@dataclass(frozen=True)
class Subject:
    """An artifact on disk, and what it is compared with.

    Attributes:
        name: of the artifact.
        step: what the ladder calls its outputs.
        path: of its file or package.
        graph: what it was lowered from.
        open: how it is executed.
        compared: steps that the ladder has, and how near each must be; the first is the artifact's own graph.
        ladder: takes the checks.
        notes: takes, in words, what could not be checked.
        torch_free_python: a Python with the torch-free runtime; None to look for one.
        photos: how many of the ladder's photos are run, and one input of noise with them; None: all of both.
    """

    name: str
    step: str
    path: Path
    graph: torch.export.ExportedProgram
    open: Callable[[Path], Run] | None
    compared: tuple[tuple[str, Bound | Promised], ...]
    ladder: ParityLadder
    notes: list[str]
    torch_free_python: Path | None = None
    photos: int | None = None

    @property
    def reference(self) -> str:
        """The step of the artifact's own graph, or of the artifact that it was made from."""
        return self.compared[0][0]


def check_outputs(subject: Subject) -> None:
    """Run the artifact on every input, and compare.

    Raises:
        BrokenParityCheck: the runtime refuses the artifact, or the first comparison that does not hold.
    """
    try:
        subject.ladder.step(subject.step, subject.open(subject.path), subject.photos)
    except PocketiqaError as error:
        subject.ladder.add(refused(subject.reference, subject.step, error))
    for reference, bound in subject.compared:
        subject.ladder.check(reference, subject.step, bound)


def check_outputs_in_both_runtimes(subject: Subject) -> None:
    """As :func:`check_outputs`, and then the same program in the torch-free runtime, where there is one."""
    check_outputs(subject)
    ladder = subject.ladder
    try:
        python = find_python(subject.torch_free_python)
        outputs, runtime = run_torch_free(python, subject.path, [*ladder.photos, *ladder.noise])
    except NoTorchFreeRuntime as error:
        subject.notes.append(f"The torch-free runtime was not run: {error}.")
        return
    rows = iter(outputs)
    step = f"{subject.step} in {runtime}"
    ladder.step(step, lambda _: next(rows))
    ladder.check(subject.step, step, SAME_GRAPH)


def check_bundled_cases(subject: Subject) -> None:
    """Let ExecuTorch's own check judge the cases inside a ``.bpte``, and compare what it computes for them.

    Raises:
        BrokenParityCheck: a case fails, or gives other outputs than the program did.
    """
    expected = bundled_cases(subject.ladder.outputs[subject.reference])
    try:
        found = np.concatenate(run_bundled_program(subject.path, len(expected), SAME_NUMBERS))
        gap = np.abs(found - expected)
    except ValueError:
        gap = np.full((1, 1), np.inf)
    subject.ladder.add(
        ParityCheck(
            reference=subject.reference,
            candidate=subject.step,
            inputs="bundled cases",
            n=len(expected),
            max_abs=float(gap.max()),
            mean_abs=float(gap[:, 0].mean()),
            srcc=None,
            bound=f"PASS within {SAME_NUMBERS:g}",
            holds=bool(gap.max() <= SAME_NUMBERS),
        )
    )
