"""The rungs of one Core ML package: its weights, its layers, its outputs. The package is read as it lies on disk."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from mobile_export.verify import bounds
from mobile_export.verify.bounds import Bound
from mobile_export.verify.ladder import Ladder, Rung
from mobile_export.verify.layers import Gap, LayerMismatch, output_gaps, torch_layers, weight_gaps
from mobile_export.verify.mil_reference import MilProgram, coreml_predict

_PHOTOS_FOR_LAYERS = 2


def package_rungs(
    ladder: Ladder, variant: str, path: Path, graph: torch.fx.GraphModule, reference: str, bound: Bound, layer: float
) -> None:
    """Verify a package against the graph that it was converted from.

    Args:
        ladder: has the step ``reference``, whose outputs are the graph's.
        layer: the most that a layer may differ by, relative; see :mod:`mobile_export.verify.bounds`.

    Raises:
        BrokenRung: the first comparison that does not hold.
        MilError: the package is damaged, or has an operator that the interpreter lacks.
    """
    name = f"{variant} (interpreted)"
    program = MilProgram.read(path)
    expected = torch_layers(graph, ladder.photos[0])
    try:
        ladder.add(layer_rung(reference, name, "weights", weight_gaps(program, expected), bounds.WEIGHTS))
        gaps = list(output_gaps(program, expected, ladder.photos[0], "float16"))
        for views in ladder.photos[1:_PHOTOS_FOR_LAYERS]:
            gaps += output_gaps(program, torch_layers(graph, views), views, "float16")
    except LayerMismatch as error:
        raise_mismatch(ladder, reference, name, error)
    ladder.add(layer_rung(reference, name, "layers", gaps, layer))
    interpreted_rung(ladder, name, program, reference, bound)


def interpreted_rung(ladder: Ladder, name: str, program: MilProgram, reference: str, bound: Bound) -> None:
    """Compare a package's outputs; on macOS those of Core ML itself as well."""
    # A package inside a .pte has names of its own, in the graph's order: one input, and the quality first.
    (photo,), quality = program.inputs, program.outputs[0]
    ladder.step(name, lambda views: program.run({photo: views}, precision="float16")[quality])
    ladder.rung(reference, name, bound)
    if sys.platform == "darwin":
        by_apple = name.replace("interpreted", "Core ML")
        ladder.step(by_apple, lambda views: coreml_predict(program.path, {photo: views})[quality])
        ladder.rung(name, by_apple, bound)


def layer_rung(reference: str, candidate: str, kind: str, gaps: Sequence[Gap], bound: float) -> Rung:
    """Weights or layers as a rung; its worst is the *first* one outside the bound, else the largest."""
    errors = np.array([gap.error for gap in gaps])
    outside = np.flatnonzero(~(errors <= bound))
    worst = gaps[int(outside[0]) if len(outside) else int(errors.argmax())]
    return Rung(
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


def raise_mismatch(ladder: Ladder, reference: str, candidate: str, error: LayerMismatch) -> None:
    """A program with other layers is a broken rung too."""
    ladder.add(Rung(reference, candidate, "layers", 0, float("inf"), float("inf"), None, str(error), False))
