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

from pocketiqa.bundle import Bundle
from pocketiqa.loading import precision
from pocketiqa.promises import GOLDEN
from pocketiqa.runtime import PTE, RUNTIMES
from tqdm import tqdm

from benchmarks.devices.base import Device, DeviceError
from benchmarks.disturbances import disturbances
from benchmarks.engines.base import Engine, Plan
from benchmarks.parity import check_parity, prepare_golden
from benchmarks.provenance import command, commit
from benchmarks.record import PerfRecord, Ratio, Run
from benchmarks.statistics import interleaved_ratio, summarize

VARIANTS = ("int8", "fp32")
STATE_SECONDS = 15.0
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
        for name, least in (("runs", 1), ("seconds", 0), ("max_seconds", 1), ("warmups", 0), ("cold_starts", 3)):
            if getattr(self, name) < least:
                raise ValueError(f"--{name.replace('_', '-')} {getattr(self, name)}: at least {least}")
        if self.max_seconds < self.seconds:
            raise ValueError(f"--max-seconds {self.max_seconds:g}: at least --seconds, {self.seconds:g}")

    def soaking(self, duration: str | None) -> Options:
        """These options, or with a duration such as ``90s``, ``30m`` or ``1h`` those of a soak that long."""
        if duration is None:
            return self
        number, unit = duration[:-1], duration[-1:]
        if unit not in SOAK_UNITS or not number.isdigit() or int(number) == 0:
            raise ValueError(f"--soak {duration!r}: a soak lasts for example 90s, 30m or 1h")
        length = float(int(number) * SOAK_UNITS[unit])
        return replace(self, runs=1, seconds=length, max_seconds=length)


def measure(bundle: Bundle, device: Device, engine: Engine, options: Options, say: Callable = print) -> PerfRecord:
    """Measure ``bundle`` on an entered ``device``.

    Ctrl-C and a lost device end the measurement early: the record then holds what was measured and says
    why in ``incomplete``. A failed parity check leaves a record without any latency.

    Raises:
        BundleError: a file of the bundle is not what its hash promises.
        ValueError: a variant that cannot be measured.
    """
    check_variants(bundle, options.variants)
    # Each file is read once: the bytes that were verified are those that are named in the record and pushed.
    programs = {label: bundle.read_variant(file_of(label)) for label in options.variants}
    record = PerfRecord(
        bundle=bundle.manifest.name,
        bundle_version=bundle.manifest.version,
        outputs=["score", *bundle.manifest.attribute_names],
        files={variant: hashlib.sha256(content).hexdigest() for variant, content in programs.items()},
        device=device.properties(),
        engine=engine.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=commit(),
        command=command(),
    )
    try:
        _prepare(bundle, device, engine, programs, say)
        for threads in options.threads:
            say(f"{device.url}: scoring the golden photos, {threads} thread(s)")
            runs = _checked_runs(bundle, engine, options.variants, threads, record.outputs)
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
        if run.samples_ms:
            run.summary = summarize(run.samples_ms)
            run.flags = disturbances(run.states) + run.summary.flags
    record.ratios = ratios(record.runs)
    return record


def file_of(label: str) -> str:
    """The bundle's variant behind a label of ``--variant``: ``onnx_int8`` of ``onnx_int8@openvino``."""
    return label.partition("@")[0]


def check_variants(bundle: Bundle, labels: list[str]) -> None:
    """Raises ``ValueError`` or ``BundleError`` for variants that cannot be measured with this bundle."""
    if not labels:
        raise ValueError(f"the bundle has neither {' nor '.join(VARIANTS)}; name its variants with --variant")
    for label in labels:
        variant, _, runtime = label.partition("@")
        found, ending = bundle.variant(variant), Path(bundle.variant(variant).path).suffix
        able = [name for name, one in RUNTIMES.items() if one.format == ending and found.backend != "coreml"]
        if not able:
            raise ValueError(f"variant {variant!r} is for {found.backend}, which does not run here")
        if (runtime or ending != PTE) and runtime not in able:
            names = " or ".join(f"{variant}@{name}" for name in able)
            raise ValueError(f"variant {label!r}: name a runtime that runs {ending} files, {names}")
        if not bundle.golden or any(precision(variant) not in scores for scores in bundle.golden.values()):
            raise ValueError(
                f"the bundle has no golden scores of {precision(variant)}: the parity of {variant!r} cannot be checked"
            )


def drop_partial_rounds(runs: list[Run]) -> None:
    """Keep only rounds that hold every variant: Ctrl-C may fall between two of one round."""
    for threads in {run.threads for run in runs}:
        together = [run for run in runs if run.threads == threads]
        whole = min(min(len(run.samples_ms), len(run.at_seconds)) for run in together)
        for run in together:
            del run.samples_ms[whole:], run.at_seconds[whole:]


def ratios(runs: list[Run]) -> list[Ratio]:
    """The ratio of every variant to the first one with the same threads, from the rounds both have."""
    found = []
    for run in runs:
        first = next(r for r in runs if r.threads == run.threads)
        if run is not first and run.samples_ms and first.samples_ms:
            ratio = interleaved_ratio(run.samples_ms, first.samples_ms)
            found.append(Ratio(run.variant, first.variant, run.threads, ratio))
    return found


def _prepare(bundle: Bundle, device: Device, engine: Engine, programs: dict[str, bytes], say: Callable) -> None:
    """Write the programs and the golden inputs to files, and push those."""
    with tempfile.TemporaryDirectory() as folder:
        golden = prepare_golden(bundle, Path(folder))
        endings = {label: Path(bundle.variant(file_of(label)).path).suffix for label in programs}
        files = {label: Path(folder) / f"program-{i}{endings[label]}" for i, label in enumerate(programs)}
        for variant, content in programs.items():
            files[variant].write_bytes(content)
        say(f"{device.url}: pushing {' and '.join(programs)} with {len(golden)} golden inputs")
        engine.prepare(device, files, golden)


def _checked_runs(bundle: Bundle, engine: Engine, variants: list[str], threads: int, names: list[str]) -> list[Run]:
    got = engine.outputs(variants, threads)
    runs = []
    for label in variants:
        kind = precision(file_of(label))
        expected = {photo: scores[kind] for photo, scores in bundle.golden.items()}
        parity = check_parity(expected, got[label], GOLDEN[kind], names)
        runs.append(Run(label, threads, engine.runtime_of(label), parity))
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
    states = [device.state("before")]
    for run in runs:
        run.warmups_dropped, run.states = plan.warmups, states
    next_state = min(STATE_SECONDS, plan.seconds / 2)
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
            if one.at >= next_state:
                states.append(device.state("during"))
                next_state += STATE_SECONDS
    states.append(device.state("after"))


def _bar(**options: object) -> tqdm:
    return tqdm(file=sys.stderr, leave=False, disable=None, **options)
