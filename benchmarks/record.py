"""``perf.json``: the result file of ``python -m benchmarks latency``, format version 2.

    record = PerfRecord.read(Path("perf.json"))
    print(record.runs[0].summary.p50)

The classes below are the format: each attribute is a key of the file, each comment its meaning and unit. A reader
refuses another ``schema`` or ``schema_version``, an unknown key, a missing one, and a value of another type or range.
Version 2 names the program's ``outputs``, the machine's ``int8`` instructions and the checkout's ``commit``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from pocketiqa.errors import PocketiqaError
from pocketiqa.files import atomic_file

from benchmarks.statistics import Interval, Summary

SCHEMA = "pocketiqa-perf"
SCHEMA_VERSION = 2

Count = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Amount = Annotated[float, msgspec.Meta(ge=0)]
Milliseconds = Annotated[float, msgspec.Meta(gt=0)]


class RecordError(PocketiqaError):
    """A file that is no result file which this version reads; the message says what it is instead."""


class Strict(msgspec.Struct, forbid_unknown_fields=True):
    """A class of a result file: what is unknown or of another type is refused when it is read."""


class DeviceState(Strict):
    """A device at one moment; what its system does not say is None or empty."""

    when: str  # "before", "during" or "after" the timed rounds
    temperatures: dict[str, float] = {}  # °C by sensor
    clocks: dict[str, float] = {}  # MHz by core
    governor: str | None = None
    load: float | None = None  # runnable processes, average of a minute
    thermal_status: int | None = None  # Android: 0 none … 6 shutdown


class DeviceProperties(Strict):
    """What was measured on."""

    url: str
    machine: str  # uname -m
    system: str  # kernel name and release, or the Android release
    model: str | None = None
    soc: str | None = None
    cores: int | None = None
    int8: list[str] = []  # instruction sets that multiply int8, as the kernel names them

    def __str__(self) -> str:
        known = [self.model, self.soc, self.machine, " + ".join(self.int8), self.system]
        return ", ".join(part for part in [*known, self.cores and f"{self.cores} cores"] if part)


class ParityCheck(Strict):
    """Whether one variant scores the golden photos on the device as the manifest expects."""

    passed: bool
    photos: Count
    max_difference: Amount  # over all photos and outputs, each in [0, 1]
    tolerance: Amount  # of any output, from pocketiqa.promises.GOLDEN
    bit_identical: bool
    worst: str | None = None  # photo and output with the largest difference
    differences: dict[str, Amount] = {}  # the largest over the photos, by output
    outputs: dict[str, list[float | None]] = {}  # by photo, in the order of PerfRecord.outputs


class ColdStart(Strict):
    """One fresh process: what it takes until the first answer; memory is its own peak, not its parent's."""

    load_ms: Amount | None  # None where the runner does not say
    first_inference_ms: Amount
    import_ms: Amount | None = None
    runtime_mib: Amount | None = None  # peak resident memory before the program was loaded
    peak_mib: Amount | None = None  # and after a few inferences


class Run(Strict):
    """One variant with one number of threads."""

    variant: str
    threads: Positive
    runtime: str  # and its version
    parity: ParityCheck
    cold_starts: list[ColdStart] = []
    warmups_dropped: Count = 0
    samples_ms: list[Milliseconds] = []  # every timed round, in order
    at_seconds: list[Amount] = []  # its end, since the first round began
    summary: Summary | None = None
    states: list[DeviceState] = []
    flags: list[str] = []  # what to know before trusting the numbers


class Ratio(Strict):
    """Medians of two variants that were measured in turns: ``of / to``."""

    of: str
    to: str
    threads: Positive
    ratio: Interval


class PerfRecord(Strict):
    """A whole measurement."""

    bundle: str
    bundle_version: str
    outputs: list[str]  # names of the program's outputs, the score first
    files: dict[str, str]  # sha256 of the measured bytes, by variant
    device: DeviceProperties
    engine: str
    created: str  # ISO 8601, UTC
    commit: str = ""  # of this checkout
    command: list[str] = []
    runs: list[Run] = []
    ratios: list[Ratio] = []
    incomplete: str | None = None  # why the measurement ended early
    schema: str = SCHEMA
    schema_version: int = SCHEMA_VERSION

    def write(self, path: Path) -> None:
        """Write the record as JSON, whole or not at all."""
        write_record(self, path)

    @classmethod
    def read(cls, path: Path) -> PerfRecord:
        """Read a perf.json; raises `RecordError` for anything else and for another version."""
        return read_record(cls, path)


class _Head(msgspec.Struct):
    schema: str = ""
    schema_version: int = 0


Record = TypeVar("Record", bound=Strict)


def write_record(record: Strict, path: Path) -> None:
    """Write a result file as JSON, whole or not at all; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")


def read_record(kind: type[Record], path: Path) -> Record:
    """Read a result file of ``kind``, whose defaults of ``schema`` and ``schema_version`` the file must have.

    Raises:
        RecordError: it cannot be read, is none or of another version, or has a key or value that ``kind`` has not.
    """
    defaults = {field.name: field.default for field in msgspec.structs.fields(kind)}
    try:
        content = path.read_bytes()
        head = msgspec.json.decode(content, type=_Head)
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}") from None
    except msgspec.ValidationError:
        head = _Head()
    except (msgspec.DecodeError, RecursionError) as error:
        raise RecordError(f"{path}: not a JSON file: {error}") from None
    if head.schema != defaults["schema"]:
        raise RecordError(f"{path}: not a {defaults['schema']} file; `python -m benchmarks` writes one with --json")
    if head.schema_version != defaults["schema_version"]:
        raise RecordError(
            f"{path}: format version {head.schema_version}; this checkout reads {defaults['schema_version']}: "
            "measure anew"
        )
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RecordError(f"{path}: damaged: {error}") from None
