"""``roofline.json``: the result file of ``python -m benchmarks roofline``.

The classes below are the format: each attribute is a key of the file.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.record import DeviceProperties
from benchmarks.result_file import Amount, Count, Positive, Strict, read_record, write_record
from benchmarks.statistics import Interval


class Peaks(Strict):
    """What one core of this machine was seen to do at best.

    Attributes:
        products: multiply-accumulates a second of matrix products, by type: ``int8``, ``fp32``.
        copies: bytes a second that a copy reads and writes, by how many it reads and writes at once.
        kernels: oneDNN's name of the instruction set, then of the products' kernels.
    """

    products: dict[str, Amount]
    copies: dict[int, Amount]
    kernels: list[str] = []

    def bound_ms(self, macs: int, size: int, dtype: str) -> tuple[float, str]:
        """The least milliseconds that a layer can take, and what sets them: ``int8``, ``fp32`` or ``bytes``.

        A layer's bytes come as fast as those of the largest copy that is no larger than the layer, so what a cache
        still holds does not beat the bound.
        """
        fits = [copied for copied in self.copies if copied <= size]
        moved = size / self.copies[max(fits, default=min(self.copies))]
        multiplied = macs / self.products[dtype]
        return (multiplied * 1000, dtype) if multiplied >= moved else (moved * 1000, "bytes")


class LayerFigures(Strict):
    """One operator.

    Attributes:
        layer: what the program asks for; None where XNNPACK added an operator of its own.
        kind: its type in XNNPACK's graph; empty without a layer.
        operator: what XNNPACK calls it; None where another operator does it too, as a convolution its padding.
        macs: multiply-accumulates.
        bytes: of inputs, weights and output.
        ms: its median time; None without an operator.
        bound_ms: the least that it can take; 0 without an operator, whose bytes the other one has.
        limit: what sets that: ``int8`` or ``fp32`` products, or ``bytes``.
    """

    layer: str | None
    kind: str
    operator: str | None
    macs: Count
    bytes: Count
    ms: Amount | None
    bound_ms: Amount
    limit: str

    @property
    def share(self) -> float | None:
        """Of the bound that is reached; None without a time that the tracer's clock can tell."""
        return self.bound_ms / self.ms if self.ms else None


class RooflineRecord(Strict):
    """A whole measurement.

    Attributes:
        bundle, bundle_version, variant, sha256: the program.
        device: what it ran on.
        load: of the machine before and after, runnable processes on average of a minute.
        runtime: and its version.
        created: when, ISO 8601, UTC.
        commit: of this checkout, with ``-dirty`` where files differ from it; empty outside one.
        command: its words.
        rounds: of the peaks and the program, in turns.
        peaks: the best of the rounds.
        layers: in the order in which they run.
        ms: of a whole run, the median.
        bound_ms: the sum of the layers' bounds.
        share: ``bound_ms / ms``: the one figure of a release.
        schema, schema_version: of this format.
    """

    bundle: str
    bundle_version: str
    variant: str
    sha256: str
    device: DeviceProperties
    load: list[Amount]
    runtime: str
    created: str
    commit: str
    command: list[str]
    rounds: Positive
    peaks: Peaks
    layers: list[LayerFigures]
    ms: Interval
    bound_ms: Amount
    share: Interval
    schema: str = "pocketiqa-roofline"
    schema_version: int = 1

    def write(self, path: Path) -> None:
        """Write the record as JSON, whole or not at all."""
        write_record(self, path)

    @classmethod
    def read(cls, path: Path) -> RooflineRecord:
        """Read a roofline.json; raises `RecordError` for anything else and for another version."""
        return read_record(cls, path)
