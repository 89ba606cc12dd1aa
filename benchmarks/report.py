"""A latency record as text for a person, and as a Markdown table."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from tabulate import tabulate

from benchmarks.provenance import sources
from benchmarks.record import PerfRecord, Run
from benchmarks.statistics import per_minute


def report(record: PerfRecord, soak: bool = False) -> str:
    """The record as text; with the medians of the minutes after a soak."""
    lines = [f"{record.bundle} {record.bundle_version} on {record.device.url}: {record.device}"]
    for run in record.runs:
        lines += ["", f"{run.variant}, {run.threads} thread(s), {run.runtime}", *_parity(run), *_cold(run)]
        lines += _steady(run, soak)
        lines += [f"  note     {flag}" for flag in run.flags]
    lines += [f"\n{r.of} takes {r.ratio} times as long as {r.to}, {r.threads} thread(s)" for r in record.ratios]
    if record.incomplete:
        lines.append(f"\nincomplete: {record.incomplete}")
    return "\n".join(lines)


def markdown(record: PerfRecord) -> str:
    """One row a variant and number of threads, as the READMEs show it, and where the figures come from."""
    heads = ["program", "threads", "p50 ms", "p90 ms", "n", "load ms", "first ms", "peak MiB", "golden photos"]
    rows = [
        [
            run.variant,
            run.threads,
            run.summary and run.summary.p50,
            run.summary and run.summary.p90,
            len(run.samples_ms),
            *(_median(getattr(start, name) for start in run.cold_starts) for name in _COLD),
            f"{_verdict(run)}, n = {run.parity.photos}",
        ]
        for run in record.runs
    ]
    places = ["", "", "", "", "", ".1f", ".1f", ".0f", ""]
    aligned = ["left", *["right"] * 7, "left"]
    table = tabulate(rows, heads, "pipe", places, missingval="", disable_numparse=[2, 3], colalign=aligned)
    notes = [f"{r.of} takes {r.ratio} times as long as {r.to}, {r.threads} thread(s)." for r in record.ratios]
    runtimes = " and ".join(sorted({run.runtime for run in record.runs}))
    notes.append(f"{record.bundle} {record.bundle_version} with {runtimes}; medians and quantiles with 95 % intervals.")
    notes.append(sources(record.created, str(record.device), record.commit, record.command))
    return "\n".join([table, "", *notes, *([f"Incomplete: {record.incomplete}"] if record.incomplete else [])])


_COLD = ("load_ms", "first_inference_ms", "peak_mib")


def _verdict(run: Run) -> str:
    if not run.parity.passed:
        return f"BROKEN (allowed {run.parity.tolerance:g})"
    return "bit-identical" if run.parity.bit_identical else f"max \\|Δ\\| {run.parity.max_difference:.2g}"


def _parity(run: Run) -> list[str]:
    parity = run.parity
    passed = "passed" if parity.passed else f"BROKEN (allowed {parity.tolerance:g})"
    verdict = "bit-identical" if parity.bit_identical else f"max |Δ| {parity.max_difference:.2g}"
    lines = [f"  parity   {passed} over {parity.photos} golden photos: {verdict}"]
    if not parity.passed:
        lines.append(f"           worst: {parity.worst}")
    if parity.max_difference and len(parity.differences) > 1:
        lines.append("           " + ", ".join(f"{name} {gap:.2g}" for name, gap in parity.differences.items()))
    return lines


def _cold(run: Run) -> list[str]:
    if not run.cold_starts:
        return []
    load, first, peak = (_median(getattr(start, name) for start in run.cold_starts) for name in _COLD)
    loaded = "load not logged" if load is None else f"load {load:.1f} ms"
    lines = [f"  cold     {loaded}, first inference {first:.1f} ms, n={len(run.cold_starts)}"]
    return lines if peak is None else [*lines, f"  memory   peak {peak:.0f} MiB resident, whole process"]


def _steady(run: Run, soak: bool) -> list[str]:
    if not (s := run.summary):
        return []
    lines = [
        f"  steady   p50 {s.p50} · p90 {s.p90} · p99 {s.p99} ms",
        f"           mean {s.mean:.3g} ± {s.standard_deviation:.2g} ms, n={s.n} after {run.warmups_dropped} warm-ups; "
        "intervals at 95 %",
    ]
    if s.p90_early_stopping:
        lines.append(f"           p90 is below {s.p90_early_stopping:.3g} ms with 99 % confidence")
    if soak:
        minutes = per_minute(run.samples_ms, run.at_seconds)
        lines.append("  minutes  " + " ".join("-" if m is None else f"{m:.3g}" for m in minutes) + " ms")
    return lines


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
