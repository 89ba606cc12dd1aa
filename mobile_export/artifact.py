"""What is known of one artifact that a bundle may hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mobile_export.graphs import FLOAT, Graphs
from mobile_export.lower.request import Delegation, Request, Run
from mobile_export.verify.bounds import Bound, Promised, Scales
from mobile_export.verify.checks import Subject
from mobile_export.verify.diagnosis import Diagnosis


@dataclass(frozen=True)
class Artifact:
    """One artifact.

    Attributes:
        name: what ``--skip``, ``diagnose`` and the manifest call it.
        path: of its file or package inside the bundle; its folder names the runtime.
        step: what parity checks call its outputs.
        graph: what it is lowered from: ``FLOAT``, ``INT8`` or ``PORTABLE``.
        lower: writes it.
        check: verifies what was written.
        compared: the other steps, None being its own graph's, that its outputs are compared with, and how near.
        open: how it is executed; None where ``check`` alone does.
        open_otherwise: further ways, by a word for each, that ``agreement`` shows.
        diagnose: compares it with its graph layer by layer.
        unsupported: operators of a graph that its backend does not take.
        needs: names of the artifacts that it is made from or compared with.
        module: the Python module that it takes, where that does not exist for every platform.
        has_golden_scores: the manifest says what it scores on the golden photos.
        is_variant: apps load it; the manifest lists it among the variants.
        by_default: the build makes it without being asked to; another one takes ``--with`` or ``--all``.
        photos: how many of the golden photos its runtime is given, being slow; None: all.
    """

    name: str
    path: str
    step: str
    graph: str
    lower: Callable[[Request], Delegation | None]
    check: Callable[[Subject], None]
    compared: tuple[tuple[str | None, Callable[[Scales], Bound | Promised]], ...]
    open: Callable[[Path], Run] | None = None
    open_otherwise: tuple[tuple[str, Callable[[Path], Run]], ...] = ()
    diagnose: Callable[[str, Path, torch.export.ExportedProgram, np.ndarray], list[Diagnosis]] | None = None
    unsupported: Callable[[torch.export.ExportedProgram], Sequence[str]] | None = None
    needs: tuple[str, ...] = ()
    module: str | None = None
    has_golden_scores: bool = False
    is_variant: bool = True
    by_default: bool = True
    photos: int | None = None

    @property
    def runtime(self) -> str:
        """The folder of its path: ``xnnpack``, ``coreml``."""
        return self.path.partition("/")[0]

    @property
    def is_float(self) -> bool:
        """Whether it computes what the float network computes."""
        return self.graph == FLOAT

    def subject(self, path: Path, graphs: Graphs, scales: Scales, **given: object) -> Subject:
        """What ``check`` takes; ``given`` are the further fields of :class:`Subject`."""
        own, graph = graphs.of(self.graph)
        compared = tuple((reference or own, bound(scales)) for reference, bound in self.compared)
        return Subject(self.name, self.step, path, graph, self.open, compared, photos=self.photos, **given)
