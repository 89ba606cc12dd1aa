"""Which layer broke? An artifact against the graph that it came from, layer by layer, both tensors' ranges shown.

    python -m mobile_export diagnose --bundle dist/pocketiqa-lite0-0.1.0.broken

Core ML packages are read from the bundle: their weights first, then every layer on its reference's own input. A
``.pte`` gives nothing away between its two ends, so the same graph is lowered once more with every layer as an output;
there errors travel, and the first layer that leaves its bound is where to look. The prepared graph is compared with
the student as well: a rewritten BatchNorm shows at the first convolution.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower
from pocketiqa.errors import PocketiqaError
from pocketiqa.files import sha256_of
from pocketiqa.preprocess import preprocess
from pocketiqa.runtime import load_program

from distill.networks.student import INPUT_SPEC, SHIPPED_STUDENT, load_student
from mobile_export.build import DEFAULT_OUT
from mobile_export.bundle.golden import golden_photos
from mobile_export.verify import bounds
from mobile_export.verify.layers import (
    Gap,
    first_outside,
    gap,
    module_of,
    output_gaps,
    torch_chains,
    torch_layers,
    weight_gaps,
)
from mobile_export.verify.mil_reference import MilError, MilProgram
from quantize.prepare import convert, prepare, without_rounding
from quantize.state import SHIPPED as SHIPPED_INT8
from quantize.state import load_prepared

ARTIFACTS = {
    "fp32": "xnnpack/student_fp32.pte",
    "int8": "xnnpack/student_int8.pte",
    "coreml_fp16": "coreml/student_fp16.mlpackage",
    "coreml_w8a8": "coreml/student_w8a8.mlpackage",
}
_SHOWN = 3  # layers on either side of the first that is outside
# Float arithmetic in another order; and in int8 the flips at rounding borders of all layers before.
_TRAVELLED = {"fp32": 1e-3, "int8": 0.1}
_ROUNDING = ("quantize_per_tensor", "dequantize_per_tensor")


@dataclass(frozen=True)
class DiagnoseConfig:
    """What is compared.

    Attributes:
        bundle: its folder; of an unfinished one as well.
        variant: one of fp32, int8, coreml_fp16, coreml_w8a8; all that are there by default.
        student, int8: what the bundle was built from.
        photo: shown to both; a golden photo by default.
    """

    bundle: Path = DEFAULT_OUT
    variant: str | None = None
    student: Path = SHIPPED_STUDENT
    int8: Path = SHIPPED_INT8
    photo: Path | None = None


@dataclass(frozen=True)
class Diagnosis:
    """One comparison, layer by layer.

    Attributes:
        what: the two sides in words.
        gaps: of every layer in order.
        bound: the most that a layer may differ by.
        problem: why nothing could be compared; '' otherwise.
    """

    what: str
    gaps: Sequence[Gap] = ()
    bound: float = 0.0
    problem: str = ""

    @property
    def first(self) -> Gap | str | None:
        """The first layer outside the bound, or the problem."""
        return self.problem or first_outside(list(self.gaps), self.bound)

    def __str__(self) -> str:
        if self.problem:
            return f"{self.what}: {self.problem}"
        if (first := self.first) is None:
            largest = max(self.gaps, key=lambda found: found.error)
            return f"{self.what}: all {len(self.gaps)} within {self.bound:g}; the largest is\n  {largest}"
        at = list(self.gaps).index(first)
        shown = self.gaps[max(0, at - _SHOWN) : at + _SHOWN + 1]
        rows = [f"{'>' if found is first else ' '} {found}" for found in shown]
        return "\n".join([f"{self.what}: the first of {len(self.gaps)} over {self.bound:g} is {first.name}", *rows])


def diagnose(config: DiagnoseConfig) -> list[Diagnosis]:
    """Compare every artifact of a bundle, or one.

    Raises:
        FileNotFoundError: no student, or no such artifact.
        ValueError: an unknown variant.
    """
    if config.variant is not None and config.variant not in ARTIFACTS:
        raise ValueError(f"no variant {config.variant!r}; these can be diagnosed: {', '.join(ARTIFACTS)}")
    there = [variant for variant, name in ARTIFACTS.items() if (config.bundle / name).exists()]
    chosen = [config.variant] if config.variant else there
    for variant in chosen:
        if not (config.bundle / ARTIFACTS[variant]).exists():
            raise FileNotFoundError(f"{config.bundle} has no {ARTIFACTS[variant]}; build it: python -m mobile_export")
    views = preprocess(config.photo or golden_photos()[0], INPUT_SPEC)
    student = load_student(config.student)
    with torch.no_grad():
        floats = torch.export.export(student, (torch.rand(INPUT_SPEC.shape),))
    found = []
    quantized = None
    if {"int8", "coreml_w8a8"} & set(chosen):
        with torch.no_grad(), without_rounding(prepare(student)) as unrounded:
            gaps = graph_gaps(floats.module(), unrounded, views)
        found.append(Diagnosis("eager float ↔ prepared, no rounding: layers", gaps, 1e-4))
        quantized = convert(load_prepared(student, config.int8, sha256_of(config.student)))
    for variant in chosen:
        graph = floats if variant in ("fp32", "coreml_fp16") else quantized
        path = config.bundle / ARTIFACTS[variant]
        found += diagnose_package(path, graph, views) if path.is_dir() else [diagnose_program(variant, graph, views)]
    return found


def graph_gaps(reference: torch.fx.GraphModule, candidate: torch.fx.GraphModule, views: np.ndarray) -> list[Gap]:
    """Two torch graphs of one network, layer by layer."""
    pairs = zip(torch_layers(reference, views), torch_layers(candidate, views), strict=True)
    return [gap(one.name, one.output, other.output) for one, other in pairs]


def diagnose_package(path: Path, graph: torch.export.ExportedProgram, views: np.ndarray) -> list[Diagnosis]:
    """A Core ML package on disk: weights, then layers."""
    try:
        program = MilProgram.read(path)
        reference = torch_layers(graph.module(), views)
        weights = weight_gaps(program, reference)
        layers = list(output_gaps(program, reference, views, "float16"))
    except (MilError, ValueError) as error:
        return [Diagnosis(path.name, problem=str(error))]
    bound = bounds.LAYER_INT8 if "quantize" in program.operators.values() else bounds.LAYER_FLOAT16
    return [
        Diagnosis(f"{path.name}: weights", weights, bounds.WEIGHTS),
        Diagnosis(f"{path.name}: layers", layers, bound),
    ]


def diagnose_program(variant: str, graph: torch.export.ExportedProgram, views: np.ndarray) -> Diagnosis:
    """What XNNPACK makes of a graph, seen at every layer."""
    tapped, names = _tapped(graph)
    with torch.no_grad():
        expected = [value.numpy() for value in tapped.module()(torch.from_numpy(views))]
    lowered = to_edge_transform_and_lower(tapped, partitioner=[XnnpackPartitioner()]).to_executorch().buffer
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            found = load_program(bytes(lowered), prefer="executorch").run(views)
    except PocketiqaError as error:
        return Diagnosis(f"{variant} .pte: layers", problem=str(error))
    gaps = [gap(name, *pair) for name, *pair in zip(names, expected, found, strict=True)]
    return Diagnosis(f"{variant} .pte, lowered with every layer as an output", gaps, _TRAVELLED[variant])


def _tapped(graph: torch.export.ExportedProgram) -> tuple[torch.export.ExportedProgram, list[str]]:
    """The graph with its layers' outputs, rounded where the graph rounds them, in place of its own."""
    module = graph.module()
    layers = torch_chains(module)
    ends = []
    for chain in layers:
        end = chain[-1]
        while follower := next((user for user in end.users if _rounds(user)), None):
            end = follower
        ends.append(end)
    for node in list(module.graph.nodes):
        if node.op == "call_module":  # torch.export's guard on the input's shape
            module.graph.erase_node(node)
        elif node.op == "output":
            node.args = (tuple(ends),)
    module.graph.set_codegen(torch.fx.graph.CodeGen())
    module.graph.eliminate_dead_code()
    module.recompile()
    example = next(node.meta["val"] for node in module.graph.nodes if node.op == "placeholder")
    with torch.no_grad():
        exported = torch.export.export(module, (torch.rand(example.shape),))
    return exported, [module_of(chain[0]) for chain in layers]


def _rounds(node: torch.fx.Node) -> bool:
    return node.op == "call_function" and node.target.__name__.split(".")[0] in _ROUNDING
