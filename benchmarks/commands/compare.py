"""``python -m benchmarks compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from benchmarks.compare import MARGIN, caveats, changes
from benchmarks.record import PerfRecord
from benchmarks.result_file import RecordError


def compare(
    before: Annotated[Path, tyro.conf.Positional],
    after: Annotated[Path, tyro.conf.Positional],
    margin: float = MARGIN,
) -> int:
    """Say whether the second perf.json is slower than the first; exit code 1 for a regression.

    Args:
        before: A perf.json.
        after: A later perf.json.
        margin: Relative slow-down that is still none.
    """
    if margin < 0:
        raise ValueError(f"--margin {margin:g}: at least 0")
    old, new = PerfRecord.read(before), PerfRecord.read(after)
    found = changes(old, new, margin)
    if not found:
        raise RecordError("the two files share no variant and thread count with samples; nothing to compare")
    for change in found:
        print(f"{change.variant}, {change.threads} thread(s): p50 × {change.ratio}: {change.verdict}")
    for caveat in caveats(old, new):
        print(f"note: {caveat}")
    return 1 if any(change.verdict == "regression" for change in found) else 0
