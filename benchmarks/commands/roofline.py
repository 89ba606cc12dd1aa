"""``python -m benchmarks roofline``."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

from pocketiqa.bundle import Bundle
from pocketiqa.preprocess import preprocess

from benchmarks.devices.local import LocalDevice
from benchmarks.latency import check_variants
from benchmarks.provenance import command, commit
from benchmarks.roofline.measure import measure
from benchmarks.roofline.record import RooflineRecord
from benchmarks.roofline.table import text

FEWEST = 5  # rounds, for an interval that says something


def roofline(
    bundle: Path | None = None,
    variant: str = "int8",
    rounds: int = 50,
    json: Path | None = None,
) -> int:
    """Show how near a program comes to what one core of this machine can multiply and move, by layer and in total.

    Args:
        bundle: The bundle's folder or packed file; without it the one inside the pocketiqa package.
        variant: Which program.
        rounds: How often the peaks and the program are measured, in turns.
        json: Write the record here.
    """
    if rounds < FEWEST:
        raise ValueError(f"--rounds {rounds}: at least {FEWEST}, or the share has no interval")
    opened = Bundle.open(bundle)
    check_variants(opened, [variant])
    program = opened.read_variant(variant)
    x = preprocess(opened.read(next(iter(opened.golden))), opened.manifest.input)
    created, before = datetime.now(UTC).isoformat(timespec="seconds"), _load()
    found = measure(program, x, rounds)
    record = RooflineRecord(
        bundle=opened.manifest.name, bundle_version=opened.manifest.version, variant=variant,
        sha256=hashlib.sha256(program).hexdigest(), device=LocalDevice().properties(), load=[*before, *_load()],
        runtime=found.runtime, created=created, commit=commit(), command=command(), rounds=rounds, peaks=found.peaks,
        layers=found.layers, ms=found.ms, bound_ms=found.bound_ms, share=found.share,
    )  # fmt: skip
    print(text(record))
    if json:
        record.write(json)
    return 0


def _load() -> list[float]:
    return [os.getloadavg()[0]] if hasattr(os, "getloadavg") else []
