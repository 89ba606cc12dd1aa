"""``manifest.json``: what a bundle holds, how to feed it, and what its golden photos must score.

A manifest may be a stranger's file, so every field is checked and every mistake is one line that names it.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pocketiqa.errors import BundleError
from pocketiqa.files import atomic_file, checked_relative, files_under
from pocketiqa.json_fields import get_field, parse_object, plain_word
from pocketiqa.preprocess import PreprocessSpec
from pocketiqa.promises import ANY_NETWORK, Promise

# 2 has ``input.reduction``. A manifest that needs none of it is written as 1, which older readers know.
SCHEMA_VERSION = 2
MAX_MANIFEST_BYTES = 4 * 1024**2
MAX_FILE_BYTES = 256 * 1024**2  # a file is read whole to be checked


@dataclass(frozen=True)
class FileEntry:
    """One file of the bundle: its size in bytes, its hexadecimal sha256, and what it is where that applies.

    ``delegation`` is ``{"subgraphs", "delegated", "non_delegated"}`` of a lowered program.
    """

    bytes: int
    sha256: str
    variant: str | None = None
    backend: str | None = None
    delegation: dict[str, Any] | None = None

    @classmethod
    def of(cls, path: Path, **what: Any) -> FileEntry:
        """The entry of an existing file; ``what`` gives ``variant``, ``backend`` and ``delegation``."""
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return cls(file.tell(), digest, **what)


@dataclass(frozen=True)
class Variant:
    """One artifact: a ``.pte`` file or an ``.mlpackage`` folder, relative to the bundle, and its backend."""

    path: str
    backend: str


@dataclass(frozen=True)
class Manifest:
    """The contract between factory and phone.

    Attributes:
        name, version: of the student.
        input: how a photo becomes the input tensor.
        outputs: ``score``; where the network has them, ``attributes`` (with ``names``) and ``map`` (with ``shape``
            [h, w]); their ranges.
        files: every file of the bundle but the manifest, by relative POSIX path; those inside an
            ``.mlpackage`` one by one.
        variants: artifacts by name: ``int8``, ``fp32``, ``coreml_fp16``, ``coreml_w8a8``.
        golden: expected quality vectors (score, then attributes) of golden photos, by path and variant.
        promise: what ``int8`` keeps of ``fp32``.
        gate: the file of the bundle's default gate; '' where it has none.
        exporter, minimum_runtime, training, licence, calibration, parity, notes, git_commit: provenance, as
            written by the exporter.
    """

    name: str
    version: str
    input: PreprocessSpec
    outputs: dict[str, Any]
    files: dict[str, FileEntry]
    variants: dict[str, Variant]
    golden: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    promise: Promise = ANY_NETWORK
    gate: str = ""
    git_commit: str = ""
    exporter: dict[str, Any] = field(default_factory=dict)
    minimum_runtime: str = ""
    training: dict[str, Any] = field(default_factory=dict)
    licence: str = ""
    calibration: dict[str, Any] = field(default_factory=dict)
    parity: list[Any] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Of the quality vector's entries after the score; none for a network that gives a score alone."""
        return tuple(self.outputs.get("attributes", {}).get("names", ()))

    @property
    def map_shape(self) -> tuple[int, int] | None:
        """(h, w) of the map of local quality; None for a network without."""
        return tuple(self.outputs["map"]["shape"]) if "map" in self.outputs else None

    @property
    def output_shapes(self) -> list[list[int]]:
        """Of a program's outputs, in order: the quality vector, then the map if there is one."""
        return [[1, 1 + len(self.attribute_names)], *([[1, *self.map_shape]] if self.map_shape else [])]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; ``from_dict`` reads it back."""
        version = 1 if self.input.reduction == "none" else SCHEMA_VERSION
        values = {"schema_version": version, **asdict(self), "input": self.input.to_dict()}
        values["promise"] = self.promise.to_dict()
        values["files"] = {
            path: {key: value for key, value in asdict(entry).items() if value is not None}
            for path, entry in sorted(self.files.items())
        }
        return values

    def write(self, path: Path) -> None:
        """Write the manifest as indented JSON, whole or not at all.

        Raises:
            BundleError: the manifest would not be read back (checked before anything is written).
            OSError: the folder cannot be written.
        """
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
        Manifest.from_json(text.encode())
        with atomic_file(path) as file:
            file.write(text + "\n")

    def subset(self, variants: set[str]) -> Manifest:
        """The manifest of a smaller bundle: these variants' files, the gate, and the golden photos with all scores."""
        kept = {name: variant for name, variant in self.variants.items() if name in variants}
        roots = [variant.path for variant in kept.values()]
        whole = {self.gate, *self.golden}
        files = {
            path: entry
            for path, entry in self.files.items()
            if path in whole or any(path == root or path.startswith(f"{root}/") for root in roots)
        }
        return Manifest(**{**vars(self), "variants": kept, "files": files})

    @classmethod
    def from_json(cls, encoded: bytes) -> Manifest:
        """Raises BundleError when the bytes are no manifest of a schema version up to ``SCHEMA_VERSION``."""
        if len(encoded) > MAX_MANIFEST_BYTES:
            raise BundleError(f"manifest.json is over the limit of {MAX_MANIFEST_BYTES} bytes")
        return cls.from_dict(parse_object(encoded, "manifest.json"))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Manifest:
        """Raises BundleError for the first field that is missing, of a wrong type or against the contract."""
        version = get_field(values, "schema_version", int)
        if not 1 <= version <= SCHEMA_VERSION:
            raise BundleError(
                f"manifest.json has schema_version {version}; this pocketiqa reads 1 to {SCHEMA_VERSION}: "
                "install the version that wrote the bundle"
            )
        defaults = {
            "git_commit": "", "exporter": {}, "minimum_runtime": "", "training": {}, "licence": "",
            "calibration": {}, "parity": [], "notes": [],
        }  # fmt: skip
        manifest = cls(
            name=plain_word(get_field(values, "name", str), "name"),
            version=plain_word(get_field(values, "version", str), "version"),
            input=PreprocessSpec.from_dict(get_field(values, "input", dict)),
            outputs=_outputs(get_field(values, "outputs", dict)),
            files={
                checked_relative(path): _file_entry(entry, f"files[{path!r}]")
                for path, entry in get_field(values, "files", dict).items()
            },
            variants={
                plain_word(name, "a name of variants"): _variant(entry, f"variants[{name!r}]")
                for name, entry in get_field(values, "variants", dict).items()
            },
            golden=get_field(values, "golden", dict, default={}),
            promise=Promise.from_dict(values["promise"]) if "promise" in values else ANY_NETWORK,
            gate=get_field(values, "gate", str, default=""),
            **{key: get_field(values, key, type(value), default=value) for key, value in defaults.items()},
        )
        if manifest.gate and manifest.gate not in manifest.files:
            raise BundleError(f"gate names {manifest.gate!r:.100}, which is not among files; list it there")
        _check_golden(manifest)
        return manifest


def entries_of(root: Path, prefix: str = "", **what: Any) -> dict[str, FileEntry]:
    """Entries of every file below ``root`` (an ``.mlpackage``, say), their paths prefixed with ``prefix``."""
    return {f"{prefix}{path}": FileEntry.of(file, **what) for path, file in files_under(root).items()}


def _file_entry(entry: Any, where: str) -> FileEntry:
    size, digest = get_field(entry, "bytes", int, where), get_field(entry, "sha256", str, where)
    if not 0 <= size <= MAX_FILE_BYTES or not re.fullmatch("[0-9a-f]{64}", digest):
        raise BundleError(
            f"{where} needs bytes of 0 to {MAX_FILE_BYTES} and a sha256 of 64 lower-case hexadecimal digits"
        )
    optional = {"variant": str, "backend": str, "delegation": dict}
    return FileEntry(
        size, digest, **{key: get_field(entry, key, kind, where) for key, kind in optional.items() if key in entry}
    )


def _variant(entry: Any, where: str) -> Variant:
    return Variant(checked_relative(get_field(entry, "path", str, where)), get_field(entry, "backend", str, where))


def _outputs(outputs: dict[str, Any]) -> dict[str, Any]:
    get_field(outputs, "score", dict, "outputs")
    attributes = get_field(outputs, "attributes", dict, "outputs", default={})
    names = get_field(attributes, "names", list, "outputs.attributes", default=[])
    for name in names:
        if not isinstance(name, str):
            raise BundleError(f"outputs.attributes.names has {name!r}; it must be a string")
        plain_word(name, "a name of outputs.attributes.names")
    if len(set(names)) != len(names):
        raise BundleError("outputs.attributes.names has a name twice")
    if taken := set(names) & {"path", "score", "error"}:
        raise BundleError(f"outputs.attributes.names may not contain {sorted(taken)}: they are columns already")
    if "map" in outputs:
        shape = get_field(get_field(outputs, "map", dict, "outputs"), "shape", list, "outputs.map")
        if len(shape) != 2 or not all(type(side) is int and side >= 1 for side in shape):
            raise BundleError(f"outputs.map.shape is {shape!r:.100}; it must be [h, w], integers of 1 or more")
    return outputs


def _check_golden(manifest: Manifest) -> None:
    length = 1 + len(manifest.attribute_names)
    for path, expected in manifest.golden.items():
        where = f"golden[{path!r}]"
        if path not in manifest.files:
            raise BundleError(f"{where} is not among files; list it there with its sha256")
        for variant in get_field(manifest.golden, path, dict):
            values = get_field(expected, variant, list, where)
            if len(values) != length or not all(type(v) in (int, float) and 0 <= v <= 1 for v in values):
                raise BundleError(
                    f"{where}[{variant!r}] must hold {length} numbers in [0, 1]: score, then the attributes"
                )
