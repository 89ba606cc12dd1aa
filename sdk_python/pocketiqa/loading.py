"""A bundle's variant as a loaded program that was compared with its manifest."""

from __future__ import annotations

import os
from pathlib import PurePosixPath

import numpy as np

from pocketiqa.bundle import Bundle
from pocketiqa.errors import BundleError, RuntimeUnavailable
from pocketiqa.preprocess import PreprocessSpec, preprocess
from pocketiqa.promises import GOLDEN
from pocketiqa.runtime import PTE, RUNTIMES, VARIABLE, Program, load_program


def variant_for(bundle: Bundle, variant: str, runtime: str | None) -> str:
    """The bundle's variant that ``runtime`` runs in place of ``variant``: ``onnx_int8`` for ``int8`` in OpenVINO.

    Raises:
        BundleError: the bundle has none.
    """
    runtime = runtime or os.environ.get(VARIABLE)
    if runtime not in RUNTIMES or (ending := RUNTIMES[runtime].format) == PTE:
        return variant
    variants = bundle.manifest.variants
    if variant in variants and variants[variant].path.endswith(ending):
        return variant
    for name, other in variants.items():
        if other.path.endswith(ending) and precision(name) == variant and bundle.has(name):
            return name
    raise BundleError(
        f"the bundle {bundle.label} has no {ending} file of {variant}, which {runtime} runs; "
        "python -m mobile_export builds one"
    )


def precision(variant: str) -> str:
    """``int8`` or ``fp32``: whose golden scores a variant must give."""
    return "int8" if variant.endswith(("int8", "w8a8")) else "fp32"


def load_variant(bundle: Bundle, variant: str, threads: int | None, runtime: str | None) -> Program:
    """Load a variant, and compare what it takes and gives, and the input spec inside it, with the manifest. In a
    runtime that must be named it also scores one golden photo.

    Raises:
        BundleError: no such variant, none that runs here, or a program that is not what the manifest says.
        RuntimeUnavailable: no runtime, it cannot load the program, or it scores the golden photo wrong.
    """
    path = PurePosixPath(bundle.variant(variant).path)
    formats = {one.format for one in RUNTIMES.values()}
    if path.suffix not in formats or path.parts[0] == "coreml":
        here = (name for name, v in bundle.manifest.variants.items() if v.backend == "xnnpack")
        raise BundleError(
            f"variant {variant!r} is for {bundle.variant(variant).backend} and does not run here; take one of "
            + ", ".join(sorted(here))
        )
    program = load_program(bundle.read_variant(variant), threads, runtime)
    _check_signature(bundle, variant, program)
    if path.suffix != PTE:
        _check_golden(bundle, variant, program)
    return program


def _check_signature(bundle: Bundle, variant: str, program: Program) -> None:
    manifest = bundle.manifest
    wanted_input = [{"shape": list(manifest.input.shape), "dtype": "float32"}]
    wanted_outputs = [{"shape": shape, "dtype": "float32"} for shape in manifest.output_shapes]
    if program.inputs != wanted_input or program.outputs != wanted_outputs:
        raise BundleError(
            f"the program of {variant!r} takes {program.inputs} and gives {program.outputs}, "
            f"the manifest says {wanted_input} and {wanted_outputs}: build the bundle anew"
        )
    embedded = program.metadata().get("input")
    if embedded is not None and PreprocessSpec.from_dict(embedded).of_tensor != manifest.input.of_tensor:
        raise BundleError(
            f"the program of {variant!r} was exported for the input {embedded}, the manifest says "
            f"{manifest.input.of_tensor.to_dict()}: build the bundle anew"
        )


def _check_golden(bundle: Bundle, variant: str, program: Program) -> None:
    """Kernels of other processors round otherwise, and some wrap: one photo shows it before any score is given."""
    kind = precision(variant)
    photo = next((name for name, expected in bundle.golden.items() if kind in expected), None)
    if photo is None:
        raise BundleError(f"the bundle has no golden scores of {kind}, so {variant} cannot be checked; build it anew")
    found = program.run(preprocess(bundle.read(photo), bundle.manifest.input))[0].ravel()
    gap = float(np.abs(found - np.array(bundle.golden[photo][kind])).max())
    if not gap <= GOLDEN[kind]:
        raise RuntimeUnavailable(
            f"{program.runtime_name} is off by {gap:.2g} on {photo}, allowed is {GOLDEN[kind]:g}: do not use it here"
        )
