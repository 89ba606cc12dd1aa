"""The result file of a latency measurement, ``perf.json``, format version 1; README.md explains the fields.

The dataclasses are the format: their names are the keys of the file.
"""

from __future__ import annotations

import json
import os
import tempfile
import types
import typing
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from benchmarks.statistics import Interval, Summary

SCHEMA = "pocketiqa-perf"
SCHEMA_VERSION = 1


class RecordError(Exception):
    """A file that is no perf.json which this version reads; the message says what it is instead."""


@dataclass
class Reading:
    """The state of a device at one moment; what its system does not tell is None or empty."""

    when: str  # "before", "during" or "after"
    temperatures: dict[str, float] = field(default_factory=dict)  # °C by sensor
    clocks: dict[str, float] = field(default_factory=dict)  # MHz by core
    governor: str | None = None
    load: float | None = None  # runnable processes, average of a minute
    thermal_status: int | None = None  # Android: 0 none … 6 shutdown


@dataclass
class DeviceProperties:
    """What was measured on."""

    url: str
    machine: str  # uname -m
    system: str  # kernel name and release, or the Android release
    model: str | None = None
    soc: str | None = None
    cores: int | None = None


@dataclass
class ParityVerdict:
    """Whether one variant scores the golden photos on the device as the manifest expects."""

    passed: bool
    photos: int
    max_difference: float  # over all photos and the seven outputs, each in [0, 1]
    tolerance: float
    bit_identical: bool
    worst: str | None = None  # photo and output with the largest difference
    outputs: dict[str, list[float]] = field(default_factory=dict)  # by photo


@dataclass
class ColdStart:
    """One fresh process: what it takes until the first answer; memory is its own peak, not its parent's."""

    load_ms: float | None  # None where the runner does not tell
    first_inference_ms: float
    import_ms: float | None = None
    runtime_mib: float | None = None  # peak resident memory before the program was loaded
    peak_mib: float | None = None  # and after a few inferences


@dataclass
class Run:
    """One variant with one number of threads."""

    variant: str
    threads: int
    runtime: str
    parity: ParityVerdict
    cold_starts: list[ColdStart] = field(default_factory=list)
    warmups_dropped: int = 0
    samples_ms: list[float] = field(default_factory=list)
    at_seconds: list[float] = field(default_factory=list)  # since the first timed round
    summary: Summary | None = None
    readings: list[Reading] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)


@dataclass
class Ratio:
    """Medians of two variants that were measured in turns: ``of / to``."""

    of: str
    to: str
    threads: int
    ratio: Interval


@dataclass
class PerfRecord:
    """A whole measurement."""

    bundle: str
    bundle_version: str
    files: dict[str, str]  # sha256 by variant
    device: DeviceProperties
    engine: str
    created: str  # ISO 8601, UTC
    command: list[str] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    ratios: list[Ratio] = field(default_factory=list)
    incomplete: str | None = None  # why the measurement ended early
    schema: str = SCHEMA
    schema_version: int = SCHEMA_VERSION

    def write(self, path: Path) -> None:
        """Write the record as JSON, whole or not at all."""
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        write_whole(path, text)

    @classmethod
    def read(cls, path: Path) -> PerfRecord:
        """Read a perf.json; raises `RecordError` for anything else and for a later version."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise RecordError(f"{path}: cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise RecordError(f"{path}: not a JSON file: {error}") from error
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            raise RecordError(f"{path}: not a {SCHEMA} file; `python -m benchmarks latency --json` writes one")
        if data.get("schema_version") != SCHEMA_VERSION:
            raise RecordError(
                f"{path}: format version {data.get('schema_version')}; this checkout reads {SCHEMA_VERSION}"
            )
        try:
            return _build(cls, data)
        except (KeyError, TypeError, ValueError) as error:
            raise RecordError(f"{path}: damaged: {error}") from error


def write_whole(path: Path, text: str) -> None:
    """Write a text file under a temporary name and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _build(kind: Any, value: Any) -> Any:
    """The dataclass, list, dict or plain value that ``kind`` describes, from its JSON form."""
    if is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        unknown = set(value) - {f.name for f in fields(kind)}
        if unknown:
            raise ValueError(f"unknown key {sorted(unknown)[0]!r} in {kind.__name__}")
        return kind(**{key: _build(hints[key], item) for key, item in value.items()})
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return None if value is None else _build(next(a for a in arguments if a is not type(None)), value)
    if origin is list:
        return [_build(arguments[0], item) for item in value]
    if origin is dict:
        return {key: _build(arguments[1], item) for key, item in value.items()}
    return value
