"""``python -m benchmarks gate``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pocketiqa.gate import SCORE, Gate
from pocketiqa.gate_fitting import fit_gate
from pocketiqa.scorer import Scorer

from benchmarks.devices.local import LocalDevice
from benchmarks.gate import (
    laplacian_variances,
    metrics_in,
    read_metric,
    refusals_of_gate,
    refusals_of_metric,
    table,
    values_of,
)
from benchmarks.provenance import command, commit, sources
from distill.data.mos_sets import MOS_SETS
from distill.data.mos_sets.photo_set import split_by_hash

HELD_OUT = 0.1  # of the train split: no network of `distill` learnt from these photos


def gate(
    mos_folder: Path,
    mos_set: Literal[tuple(MOS_SETS)] = "biq2021",
    line: float = 0.3,
    bundle: Path | None = None,
    variant: str = "int8",
    max_false_refusal: float = 0.02,
    confidence: float = 0.95,
    fit: Path | None = None,
    gate: Path | None = None,
    others: Path | None = None,
) -> int:
    """What a gate refuses of the good and of the bad photos of a MOS set's test split, beside single thresholds.

    Args:
        mos_folder: Where the set lies.
        mos_set: Its name.
        line: Photos whose mean opinion reaches it are good.
        bundle: The bundle's folder or packed file; without it the one inside the pocketiqa package.
        variant: Which program.
        max_false_refusal: Of a gate that is fitted, the largest share of good photos that it refuses.
        confidence: With which that holds.
        fit: Fit a gate to the tenth of the train split that training holds out, write it to this file, and stop.
        gate: The gate to measure; the bundle's by default.
        others: A CSV with the column name and a column for each further metric, higher is better.
    """
    scorer = Scorer(bundle, variant=variant)
    measures = (SCORE, *scorer.attribute_names)
    if fit is not None:
        train = MOS_SETS[mos_set](mos_folder, "train")
        held = train.take(split_by_hash(train.paths, HELD_OUT))
        data = f"{len(held)} photos of {mos_set} that training held out, good from a mean opinion of {line:g} on"
        fitted = fit_gate(
            values_of(held, scorer), held.mos >= line, scorer.bundle, variant, data, max_false_refusal, confidence
        )
        fitted.write(fit)
        print(fitted)
        return 0
    test = MOS_SETS[mos_set](mos_folder, "test")
    values, is_good = values_of(test, scorer), test.mos >= line
    measured = Gate.of(scorer.bundle) if gate is None else Gate.read(gate)
    rows = [refusals_of_gate("the gate", measured, values, is_good, measures)]
    metrics = {"the score alone": values[:, 0], "variance of the Laplacian": laplacian_variances(test)}
    metrics |= {name: read_metric(others, name, test) for name in (metrics_in(others) if others else [])}
    share = rows[0].good_refused / max(1, rows[0].good)
    rows += [refusals_of_metric(name, metric, is_good, share) for name, metric in metrics.items()]
    print(table(rows))
    now, machine = datetime.now(UTC).isoformat(), str(LocalDevice().properties())
    print(f"\n{scorer.bundle.label}, {variant}. {sources(now, machine, commit(), command())}")
    return 0
