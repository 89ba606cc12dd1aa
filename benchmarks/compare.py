"""Compare two result files: is the second one slower?

    python -m benchmarks compare before.json after.json

Two files are two runs, and a machine is not the same twice. So the ratio of p50 comes with its interval, a
difference below the margin is no regression, and whatever makes the two incomparable is said.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.record import PerfRecord, Run
from benchmarks.statistics import Interval, independent_ratio

MARGIN = 0.05


@dataclass(frozen=True)
class Change:
    """How one variant's p50 changed: ``ratio`` is after / before."""

    variant: str
    threads: int
    ratio: Interval
    verdict: str  # "regression", "improvement" or "no change shown"


def changes(before: PerfRecord, after: PerfRecord, margin: float = MARGIN) -> list[Change]:
    """Every variant and thread count that both records have, with a verdict.

    A regression is an interval that lies wholly above ``1 + margin``; an improvement one wholly below
    ``1 - margin``.
    """
    old = {(run.variant, run.threads): run for run in before.runs if run.samples_ms}
    found = []
    for run in after.runs:
        if run.samples_ms and (earlier := old.get((run.variant, run.threads))):
            ratio = independent_ratio(run.samples_ms, earlier.samples_ms)
            slower, faster = ratio.low > 1 + margin, ratio.high < 1 - margin
            verdict = "regression" if slower else "improvement" if faster else "no change shown"
            found.append(Change(run.variant, run.threads, ratio, verdict))
    return found


def caveats(before: PerfRecord, after: PerfRecord) -> list[str]:
    """What besides the artifact differs between two records."""
    pairs = {
        "device": (before.device.url, after.device.url),
        "machine": (before.device.machine, after.device.machine),
        "model": (before.device.model, after.device.model),
        "processor": (before.device.soc, after.device.soc),
        "system": (before.device.system, after.device.system),
        "engine": (before.engine, after.engine),
        "runtime": ({r.runtime for r in before.runs}, {r.runtime for r in after.runs}),
    }
    found = [f"{name} differs: {_joined(old)} and {_joined(new)}" for name, (old, new) in pairs.items() if old != new]
    for name, record in (("before", before), ("after", after)):
        if record.incomplete:
            found.append(f"{name} is incomplete: {record.incomplete.splitlines()[0]}")
        found += [f"{name}, {run.variant}: {flag}" for run in record.runs for flag in _disturbances(run)]
    return found


def _disturbances(run: Run) -> list[str]:
    """The flags that put a comparison in doubt; those about the sample's size are in its interval already."""
    about_intervals = ("autocorrelated", "p50", "p90", "p99")
    return [flag for flag in run.flags if not flag.startswith(about_intervals)]


def _joined(value: object) -> str:
    return " and ".join(sorted(value)) if isinstance(value, set) else str(value)
