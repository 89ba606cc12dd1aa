"""``python -m benchmarks operators``."""

from __future__ import annotations

from pathlib import Path

from pocketiqa.bundle import Bundle
from pocketiqa.preprocess import preprocess

from benchmarks.latency import check_variants
from benchmarks.operators import operator_kinds, table


def operators(bundle: Path | None = None, variant: str = "int8", runs: int = 15) -> int:
    """Show where a program's time goes on this machine, by kind of XNNPACK operator, on one thread.

    Args:
        bundle: The bundle's folder or packed file; without it the one inside the pocketiqa package.
        variant: Which program.
        runs: How often; each operator's time is the median.
    """
    if runs < 1:
        raise ValueError(f"--runs {runs}: at least 1")
    opened = Bundle.open(bundle)
    check_variants(opened, [variant])
    x = preprocess(opened.read(next(iter(opened.golden))), opened.manifest.input)
    print(table(operator_kinds(opened.read_variant(variant), x, runs)))
    return 0
