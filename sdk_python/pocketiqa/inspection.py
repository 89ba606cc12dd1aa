"""What a bundle or a lone ``.pte`` is: inputs, outputs, delegation, sizes, hashes, versions."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from pocketiqa.bundle import Bundle
from pocketiqa.errors import PocketiqaError, one_line
from pocketiqa.runtime import Program, installed_runtimes, load_program, read_program
from pocketiqa.scorer import Scorer


def inspect_bundle(path: Path) -> dict[str, Any]:
    """Everything the manifest says, checked against the files, with each ``.pte`` loaded and asked.

    Returns:
        JSON-ready; ``problems`` lists what does not agree, one line each.

    Raises:
        BundleError: no bundle, or a manifest against the schema.
    """
    bundle = Bundle.open(path)
    manifest = bundle.manifest
    problems = bundle.problems()
    variants = {}
    for name, variant in manifest.variants.items():
        files = {
            file: entry
            for file, entry in manifest.files.items()
            if file == variant.path or file.startswith(f"{variant.path}/")
        }
        described = variants[name] = {
            "path": variant.path,
            "backend": variant.backend,
            "bytes": sum(entry.bytes for entry in files.values()),
            "sha256": {file: entry.sha256 for file, entry in files.items()},
            "delegation": next((entry.delegation for entry in files.values() if entry.delegation), None),
        }
        if variant.backend == "xnnpack" and bundle.has(name):
            try:
                # A Scorer refuses a program that does not fit its manifest.
                described |= describe_program(Scorer(bundle, name).program)
            except PocketiqaError as error:
                problems.append(f"{name}: {one_line(error)}")
    return {
        "name": manifest.name,
        "version": manifest.version,
        "input": manifest.input.to_dict(),
        "outputs": manifest.outputs,
        "variants": variants,
        "golden": len(manifest.golden),
        "files": len(manifest.files),
        "exporter": manifest.exporter,
        "minimum_runtime": manifest.minimum_runtime,
        "licence": manifest.licence,
        "git_commit": manifest.git_commit,
        "notes": manifest.notes,
        "runtimes": installed_runtimes(),
        "problems": list(dict.fromkeys(problems)),
    }


def inspect_program(path: Path) -> dict[str, Any]:
    """A ``.pte`` separated from its bundle.

    Raises:
        BundleError: unreadable, or no ExecuTorch program.
        RuntimeUnavailable: no runtime can load it.
    """
    content = read_program(path)
    return {
        "path": str(path),
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        **describe_program(load_program(content)),
        "delegation": "recorded in the bundle's manifest only",
        "runtimes": installed_runtimes(),
        "problems": [],
    }


def describe_program(program: Program) -> dict[str, Any]:
    """What a runtime says of a ``.pte``: inputs, outputs, methods, metadata, and which runtime was asked."""
    return {
        "inputs": program.inputs,
        "outputs": program.outputs,
        "methods": sorted(program.method_names),
        "metadata": program.metadata(),
        "runtime": program.runtime_name,
    }


def as_text(found: dict[str, Any], indent: str = "") -> str:
    """The dictionary as indented ``name: value`` lines, without empty values and without what programs repeat
    of their bundle's manifest."""
    lines = []
    for key, value in found.items():
        if value in (None, "", [], {}) or (indent and key == "metadata"):
            continue
        if isinstance(value, dict):
            lines += [f"{indent}{one_line(key)}:", as_text(value, indent + "  ")]
        elif key in ("notes", "problems"):
            lines += [f"{indent}{key}:", *(f"{indent}  {one_line(str(item))}" for item in value)]
        else:
            lines.append(f"{indent}{one_line(key)}: {_short(value)}")
    return "\n".join(lines)


def _short(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_short, value))
    if isinstance(value, dict) and set(value) == {"shape", "dtype"}:
        return f"{value['dtype']} {'×'.join(map(str, value['shape']))}"
    return one_line(str(value))
