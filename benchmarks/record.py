"""``perf.json``: the result file of ``python -m benchmarks latency``, format version 2.

    record = PerfRecord.read(Path("perf.json"))
    print(record.runs[0].summary.p50)

The classes below are the format: each attribute is a key of the file. A reader refuses another ``schema`` or
``schema_version``, an unknown key, a missing one, and a value of another type or range. Version 2 names the program's
``outputs``, the machine's ``int8`` instructions and the checkout's ``commit``.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.result_file import Amount, Count, Milliseconds, Positive, Strict, read_record, write_record
from benchmarks.statistics import Interval, Summary

SCHEMA = "pocketiqa-perf"
SCHEMA_VERSION = 2


class DeviceState(Strict):
    """A device at one moment; what its system does not say is None or empty.

    Attributes:
        when: ``before``, ``during`` or ``after`` the timed rounds.
        temperatures: °C by sensor.
        clocks: MHz by core.
        governor: of the clocks.
        load: runnable processes, the average of a minute.
        thermal_status: Android's, 0 none to 6 shutdown.
    """

    when: str
    temperatures: dict[str, float] = {}
    clocks: dict[str, float] = {}
    governor: str | None = None
    load: float | None = None
    thermal_status: int | None = None


class DeviceProperties(Strict):
    """What was measured on.

    Attributes:
        url: as in ``--device``.
        machine: ``uname -m``.
        system: kernel name and release, or the Android release.
        model, soc, cores: as far as the system says.
        int8: instruction sets that multiply int8 at more than float's rate, by the kernel's names.
    """

    url: str
    machine: str
    system: str
    model: str | None = None
    soc: str | None = None
    cores: int | None = None
    int8: list[str] = []

    def __str__(self) -> str:
        known = [self.model, self.soc, self.machine, " + ".join(self.int8), self.system]
        cores = self.cores and (f"{self.cores} cores" if self.cores > 1 else "1 core")
        return ", ".join(part for part in [*known, cores] if part)


class ParityCheck(Strict):
    """Whether one variant scores the golden photos on the device as the manifest expects.

    Attributes:
        passed: every output of every photo is within ``tolerance``.
        photos: how many.
        max_difference: over all photos and outputs, each in [0, 1].
        tolerance: from ``pocketiqa.promises.GOLDEN``.
        bit_identical: no float32 output differs.
        worst: photo and output with the largest difference, or what is wrong with the outputs; None without any.
        differences: the largest over the photos, by output.
        outputs: by photo, in the order of ``PerfRecord.outputs``; None where the device gave no finite number.
    """

    passed: bool
    photos: Count
    max_difference: Amount
    tolerance: Amount
    bit_identical: bool
    worst: str | None = None
    differences: dict[str, Amount] = {}
    outputs: dict[str, list[float | None]] = {}


class ColdStart(Strict):
    """One fresh process. Memory is its own peak, not its parent's.

    Attributes:
        load_ms: loading the program; None where the runner does not say.
        first_inference_ms: the first answer after that.
        import_ms: from the interpreter's start until the runtime is imported.
        runtime_mib: peak resident memory before the program was loaded.
        peak_mib: the same after the first inference.
    """

    load_ms: Amount | None
    first_inference_ms: Amount
    import_ms: Amount | None = None
    runtime_mib: Amount | None = None
    peak_mib: Amount | None = None


class Run(Strict):
    """One variant with one number of threads.

    Attributes:
        variant: ``int8``, ``fp32``.
        threads: of the runtime's pool.
        runtime: and its version.
        parity: before anything was timed.
        cold_starts: fresh processes.
        warmups_dropped: rounds before the timed ones.
        samples_ms: every timed round, in order.
        at_seconds: when each ended, since the first began.
        summary: of the samples; None without any.
        states: of the device before, every 15 seconds during, and after.
        flags: what to know before trusting the numbers.
    """

    variant: str
    threads: Positive
    runtime: str
    parity: ParityCheck
    cold_starts: list[ColdStart] = []
    warmups_dropped: Count = 0
    samples_ms: list[Milliseconds] = []
    at_seconds: list[Amount] = []
    summary: Summary | None = None
    states: list[DeviceState] = []
    flags: list[str] = []


class Ratio(Strict):
    """Medians of two variants that were measured in turns: ``ratio`` is ``of / to``."""

    of: str
    to: str
    threads: Positive
    ratio: Interval


class PerfRecord(Strict):
    """A whole measurement.

    Attributes:
        bundle, bundle_version: what was measured.
        outputs: names of the program's outputs, the score first.
        files: sha256 of the measured bytes, by variant.
        device: what it ran on.
        engine: what ran the programs there: ``sdk`` or ``executor-runner``.
        created: when, ISO 8601, UTC.
        commit: of this checkout, with ``-dirty`` where files differ from it; empty outside one.
        command: its words.
        runs: one a variant and number of threads.
        ratios: of every variant to the first one with the same threads.
        incomplete: why the measurement ended early, or None.
        schema, schema_version: of this format.
    """

    bundle: str
    bundle_version: str
    outputs: list[str]
    files: dict[str, str]
    device: DeviceProperties
    engine: str
    created: str
    commit: str = ""
    command: list[str] = []
    runs: list[Run] = []
    ratios: list[Ratio] = []
    incomplete: str | None = None
    schema: str = SCHEMA
    schema_version: int = SCHEMA_VERSION

    def write(self, path: Path) -> None:
        """Write the record as JSON, whole or not at all."""
        write_record(self, path)

    @classmethod
    def read(cls, path: Path) -> PerfRecord:
        """Read a perf.json; raises `RecordError` for anything else and for another version."""
        return read_record(cls, path)
