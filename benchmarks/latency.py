"""Measure a bundle on a device: parity first, then cold starts, then the variants in turns.

    python -m benchmarks latency --bundle dist/pocketiqa-lite0-0.1.0 --device local --json perf.json

A latency of wrong scores is worth nothing, so nothing is timed before the device's outputs agree with the
manifest's golden scores.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from pocketiqa.bundle import Bundle
from pocketiqa.preprocess import preprocess
from tqdm import tqdm

from benchmarks import statistics
from benchmarks.devices.base import Device, DeviceError
from benchmarks.engines.base import Engine, Golden, Plan
from benchmarks.record import ParityVerdict, PerfRecord, Ratio, Reading, Run

VARIANTS = ("int8", "fp32")
# What one score may differ by on another processor: int8 kernels round a unit or two apart, which a few
# layers carry on; float kernels only reorder sums. A wrong kernel is off by a tenth.
TOLERANCES = {"int8": 0.01, "fp32": 1e-4}
OUTPUT_NAMES = ("score", "sharpness", "noise", "exposure", "contrast", "colour", "compression")
STATE_SECONDS = 15.0
WARMER = 10.0
SLOWER_CLOCK = 0.9
SOAK_UNITS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Options:
    """What to measure and for how long."""

    variants: list[str] = field(default_factory=lambda: list(VARIANTS))
    threads: list[int] = field(default_factory=lambda: [1])
    runs: int = 100
    seconds: float = 10.0
    max_seconds: float = 120.0
    warmups: int = 5
    cold_starts: int = 3

    def __post_init__(self) -> None:
        for name, least in (
            ("runs", 1),
            ("seconds", 0),
            ("max_seconds", 1),
            ("warmups", 0),
            ("cold_starts", 3),
        ):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; it is at least {least}")

    def soaking(self, duration: str | None) -> Options:
        """These options, or with a duration such as ``90s``, ``30m`` or ``1h`` those of a soak that long."""
        if duration is None:
            return self
        number, unit = duration[:-1], duration[-1:]
        if unit not in SOAK_UNITS or not number.isdigit() or int(number) == 0:
            raise ValueError(f"a soak lasts for example 90s, 30m or 1h, not {duration!r}")
        length = float(int(number) * SOAK_UNITS[unit])
        return replace(self, runs=1, seconds=length, max_seconds=length)


def measure(bundle: Bundle, device: Device, engine: Engine, options: Options, say: Callable = print) -> PerfRecord:
    """Measure ``bundle`` on an entered ``device``.

    Ctrl-C and a lost device end the measurement early: the record then holds what was measured and says
    why in ``incomplete``. A failed parity leaves a record without any latency.
    """
    check(bundle, options.variants)
    record = PerfRecord(
        bundle=bundle.manifest.name,
        bundle_version=bundle.manifest.version,
        files={v: hashlib.sha256(bundle.artifact(v).read_bytes()).hexdigest() for v in options.variants},
        device=device.properties(),
        engine=engine.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    try:
        with tempfile.TemporaryDirectory() as folder:
            golden = prepare_golden(bundle, Path(folder))
            say(f"{device.url}: pushing {len(options.variants)} programs and {len(golden)} golden inputs")
            engine.prepare(device, {v: bundle.artifact(v) for v in options.variants}, golden)
        for threads in options.threads:
            runs = _checked_runs(bundle, engine, options.variants, threads)
            record.runs += runs
            if not all(run.parity.passed for run in runs):
                record.incomplete = "wrong scores: no latency was measured"
                break
            _cold_starts(engine, runs, options.cold_starts)
            _timed(device, engine, runs, options, say)
    except KeyboardInterrupt:
        record.incomplete = "interrupted by the user"
    except DeviceError as error:
        record.incomplete = str(error)
    drop_partial_rounds(record.runs)
    for run in record.runs:
        conclude(run)
    record.ratios = ratios(record.runs)
    return record


def check(bundle: Bundle, variants: list[str]) -> None:
    """Raises ``ValueError`` or ``BundleError`` for variants that cannot be measured with this bundle."""
    if not variants:
        raise ValueError(f"the bundle has neither {' nor '.join(VARIANTS)}; name its variants with --variant")
    for variant in variants:
        if (backend := bundle.variant(variant).backend) != "xnnpack":
            raise ValueError(f"variant {variant!r} is for {backend}; only xnnpack programs are measured")
        if not bundle.golden or any(variant not in scores for scores in bundle.golden.values()):
            raise ValueError(f"the bundle has no golden scores of {variant!r}: its parity cannot be checked")


def prepare_golden(bundle: Bundle, folder: Path) -> list[Golden]:
    """Preprocess the bundle's golden photos on this machine into raw float32 files."""
    golden = []
    for i, photo in enumerate(bundle.golden):
        bundle.read(photo)  # verifies its hash
        x = preprocess(bundle.root / photo, bundle.manifest.input)
        x.astype("<f4").tofile(folder / f"{i}.bin")
        golden.append(Golden(photo, folder / f"{i}.bin", x.shape))
    return golden


def judge(expected: dict[str, list[float]], got: dict[str, list[float]], tolerance: float) -> ParityVerdict:
    """Compare the outputs ``got`` for the golden photos with the ``expected`` ones, both seven in [0, 1]."""
    missing = sorted(set(expected) - set(got))
    if missing:
        return ParityVerdict(False, len(got), 1.0, tolerance, False, f"{missing[0]}: no output", got)
    largest, worst, identical = 0.0, None, True
    for photo, wanted in expected.items():
        reference, candidate = np.float32(wanted), np.float32(got[photo])
        if reference.shape != candidate.shape or not np.isfinite(candidate).all():
            return ParityVerdict(False, len(got), 1.0, tolerance, False, f"{photo}: {got[photo]}", got)
        difference = np.abs(reference.astype(float) - candidate)
        identical &= bool((reference == candidate).all())
        if difference.max() > largest:
            i = int(difference.argmax())
            largest = float(difference[i])
            worst = f"{photo}, {OUTPUT_NAMES[i]}: expected {reference[i]:.6g}, got {candidate[i]:.6g}"
    return ParityVerdict(largest <= tolerance, len(expected), largest, tolerance, identical, worst, got)


def state_flags(readings: list[Reading]) -> list[str]:
    """What changed about the device during a run, in words."""
    flags = []
    if len(statuses := {r.thermal_status for r in readings if r.thermal_status is not None}) > 1:
        flags.append(f"thermal status changed between {min(statuses)} and {max(statuses)}")
    for zone in readings[0].temperatures if readings else ():
        degrees = [r.temperatures[zone] for r in readings if zone in r.temperatures]
        if max(degrees) - degrees[0] >= WARMER:
            flags.append(f"{zone} warmed from {degrees[0]:.0f} to {max(degrees):.0f} °C")
    # Idle clocks are low by design, so only readings under load are compared.
    clocks = [max(r.clocks.values()) for r in readings if r.when == "during" and r.clocks]
    if len(clocks) > 1 and min(clocks) < SLOWER_CLOCK * max(clocks):
        flags.append(f"the fastest core ran between {min(clocks):.0f} and {max(clocks):.0f} MHz")
    return flags


def drop_partial_rounds(runs: list[Run]) -> None:
    """Keep only rounds that hold every variant: Ctrl-C may fall between two of one round."""
    for threads in {run.threads for run in runs}:
        together = [run for run in runs if run.threads == threads]
        whole = min(min(len(run.samples_ms), len(run.at_seconds)) for run in together)
        for run in together:
            del run.samples_ms[whole:], run.at_seconds[whole:]


def conclude(run: Run) -> None:
    """Fill in a run's summary and flags from its samples and readings."""
    if not run.samples_ms:
        return
    run.summary = statistics.summarize(run.samples_ms)
    run.flags = state_flags(run.readings) + run.summary.flags


def ratios(runs: list[Run]) -> list[Ratio]:
    """The ratio of every variant to the first one with the same threads, from the rounds both have."""
    found = []
    for run in runs:
        first = next(r for r in runs if r.threads == run.threads)
        if run is not first and run.samples_ms and first.samples_ms:
            ratio = statistics.interleaved_ratio(run.samples_ms, first.samples_ms)
            found.append(Ratio(run.variant, first.variant, run.threads, ratio))
    return found


def _checked_runs(bundle: Bundle, engine: Engine, variants: list[str], threads: int) -> list[Run]:
    got = engine.outputs(variants, threads)
    runs = []
    for variant in variants:
        expected = {photo: scores[variant] for photo, scores in bundle.golden.items()}
        verdict = judge(expected, got[variant], TOLERANCES.get(variant, TOLERANCES["int8"]))
        runs.append(Run(variant, threads, engine.runtime, verdict))
    return runs


def _cold_starts(engine: Engine, runs: list[Run], count: int) -> None:
    """Fresh processes, the variants in turns; their memory is read here, apart from the timing."""
    with _bar(total=count * len(runs), desc="cold starts", unit="start") as bar:
        for _ in range(count):
            for run in runs:
                run.cold_starts.append(engine.cold_start(run.variant, run.threads))
                bar.update()


def _timed(device: Device, engine: Engine, runs: list[Run], options: Options, say: Callable) -> None:
    plan = Plan(options.runs, options.seconds, options.max_seconds, options.warmups)
    variants, threads = [run.variant for run in runs], runs[0].threads
    readings = [device.state("before")]
    for run in runs:
        run.warmups_dropped, run.readings = plan.warmups, readings
    next_reading = min(STATE_SECONDS, plan.seconds / 2)
    label = f"{' / '.join(variants)}, {threads} thread(s)"
    with (
        _bar(total=plan.runs, desc=label, unit="round") as bar,
        closing(engine.rounds(variants, threads, plan)) as rounds,
    ):
        for i, one in enumerate(rounds):
            if i == 0:
                say(f"{device.url}: timing {label}")
            for run in runs:
                run.samples_ms.append(one.ms[run.variant])
                run.at_seconds.append(one.at)
            bar.update()
            if one.at >= next_reading:
                readings.append(device.state("during"))
                next_reading += STATE_SECONDS
    readings.append(device.state("after"))


def _bar(**options: object) -> tqdm:
    return tqdm(file=sys.stderr, leave=False, disable=None, **options)
