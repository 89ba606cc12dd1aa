"""A latency record as text for a person."""

from __future__ import annotations

from statistics import median

from benchmarks.record import PerfRecord
from benchmarks.statistics import per_minute


def report(record: PerfRecord, soak: bool = False) -> str:
    """The record as a table for a person; with the medians of the minutes after a soak."""
    lines = [f"{record.bundle} {record.bundle_version} on {record.device.url}: {_machine(record)}"]
    for run in record.runs:
        parity = run.parity
        verdict = "bit-identical" if parity.bit_identical else f"max |Δ| {parity.max_difference:.2g}"
        lines.append(f"\n{run.variant}, {run.threads} thread(s), {run.runtime}")
        passed = "passed" if parity.passed else f"BROKEN (allowed {parity.tolerance:g})"
        lines.append(f"  parity   {passed} over {parity.photos} golden photos: {verdict}")
        if not parity.passed:
            lines.append(f"           worst: {parity.worst}")
        if run.cold_starts:
            loads = [c.load_ms for c in run.cold_starts if c.load_ms is not None]
            load = f"load {median(loads):.1f} ms" if loads else "load not told"
            first = median(c.first_inference_ms for c in run.cold_starts)
            lines.append(f"  cold     {load}, first inference {first:.1f} ms, n={len(run.cold_starts)}")
            peaks = [c.peak_mib for c in run.cold_starts if c.peak_mib]
            if peaks:
                lines.append(f"  memory   peak {median(peaks):.0f} MiB resident, whole process")
        if s := run.summary:
            lines.append(f"  steady   p50 {s.p50} · p90 {s.p90} · p99 {s.p99} ms")
            lines.append(
                f"           mean {s.mean:.3g} ± {s.standard_deviation:.2g} ms, n={s.n} "
                f"after {run.warmups_dropped} warm-ups; intervals at 95 %"
            )
            if s.p90_early_stopping:
                lines.append(f"           p90 is below {s.p90_early_stopping:.3g} ms with 99 % confidence")
            if soak:
                minutes = per_minute(run.samples_ms, run.at_seconds)
                lines.append("  minutes  " + " ".join("-" if m is None else f"{m:.3g}" for m in minutes) + " ms")
        lines += [f"  note     {flag}" for flag in run.flags]
    lines += [f"\n{r.of} takes {r.ratio} times as long as {r.to}, {r.threads} thread(s)" for r in record.ratios]
    if record.incomplete:
        lines.append(f"\nincomplete: {record.incomplete}")
    return "\n".join(lines)


def _machine(record: PerfRecord) -> str:
    device = record.device
    known = [device.model, device.soc, device.machine, device.system, f"{device.cores} cores"]
    return ", ".join(part for part in known if part)
