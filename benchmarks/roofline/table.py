"""A roofline as text: by layer, by kind of layer, and the one figure of the whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from tabulate import tabulate

from benchmarks.roofline.record import LayerFigures, RooflineRecord

# Layers of less than this share of the time have one row together.
SHOWN = 0.002
_HEADS = ["", "M MACs", "MB", "ms", "of all", "bound ms", "set by", "share of bound"]


def text(record: RooflineRecord) -> str:
    """The layers that take time or multiply, the kinds of layer, what has no time, and the whole."""
    least = record.ms.value * SHOWN
    shown = [one for one in record.layers if one.ms is not None and (one.ms >= least or one.macs)]
    rest = [one for one in record.layers if one.ms is not None and one not in shown]
    rows = [_row(one.layer or f"XNNPACK's own: {one.operator}", [one], record) for one in shown]
    if rest:
        rows.append(_row(f"{len(rest)} others", rest, record))
    unnamed = max(record.ms.value - sum(one.ms or 0 for one in record.layers), 0)
    rows.append(["between the operators", "", "", f"{unnamed:.2f}", f"{unnamed / record.ms.value:.1%}", "", "", ""])
    untimed = [one.layer for one in record.layers if one.ms is None]
    parts = [_table("layer", rows), by_kind(record)]
    if untimed:
        parts.append(f"without a time, because another operator does it too: {'; '.join(untimed)}")
    return "\n\n".join([*parts, _peaks(record), summary(record)])


def by_kind(record: RooflineRecord) -> str:
    """One row a kind of layer, slowest first."""
    kinds = defaultdict(list)
    for one in record.layers:
        kinds[kind_of(one)].append(one)
    ordered = sorted(kinds.items(), key=lambda item: -_ms(item[1]))
    rows = [_row(kind, found, record) for kind, found in ordered if _ms(found) >= record.ms.value * SHOWN]
    return _table("kind", rows)


def kind_of(one: LayerFigures) -> str:
    """What a layer counts as in the table of kinds."""
    dtype = "int8" if ", int8," in f"{one.layer}" else "fp32"
    named = {"DepthwiseConv2d": "depthwise convolutions", "Conv2d": "convolutions", "FullyConnected": "linear layers"}
    if one.kind == "Conv2d" and "convolution 1×1 " in f"{one.layer}":
        return f"pointwise convolutions, {dtype}"
    return f"{named[one.kind]}, {dtype}" if one.kind in named else one.kind or "XNNPACK's own"


def summary(record: RooflineRecord) -> str:
    """The one figure, and what it is of."""
    share, load = record.share, " to ".join(f"{load:.1f}" for load in record.load)
    return (
        f"{record.bundle} {record.bundle_version} {record.variant} reaches {share.value:.3f} "
        f"[{share.low:.3f}, {share.high:.3f}] of its bound: {record.bound_ms:.2f} ms of {record.ms} ms, one thread, "
        f"{record.runtime}, n={record.rounds}, load {load}\n{record.device}"
    )


def _peaks(record: RooflineRecord) -> str:
    products = ", ".join(f"{name} {rate / 1e9:.0f}" for name, rate in record.peaks.products.items())
    copies = ", ".join(f"{size / 2**20:.0f} MiB {rate / 1e9:.0f}" for size, rate in record.peaks.copies.items())
    return (
        f"peaks of one core: matrix products, G MACs a second: {products}; copies, GB a second: {copies}\n"
        f"oneDNN: {'; '.join(record.peaks.kernels) or 'not in this torch'}"
    )


def _row(name: str, layers: Sequence[LayerFigures], record: RooflineRecord) -> list[str]:
    ms, bound, macs = _ms(layers), sum(one.bound_ms for one in layers), sum(one.macs for one in layers)
    size = sum(one.bytes for one in layers if one.ms is not None)
    by_limit = {limit: sum(one.bound_ms for one in layers if one.limit == limit) for limit in ("int8", "fp32", "bytes")}
    limits = " and ".join(limit for limit, ms_of in by_limit.items() if ms_of > bound / 10)
    return [
        name, f"{macs / 1e6:.1f}" if macs else "", f"{size / 1e6:.2f}", f"{ms:.3f}", f"{ms / record.ms.value:.1%}",
        f"{bound:.3f}", limits, f"{bound / ms:.2f}" if ms else "",
    ]  # fmt: skip


def _ms(layers: Sequence[LayerFigures]) -> float:
    return sum(one.ms or 0 for one in layers)


def _table(title: str, rows: list[list[str]]) -> str:
    aligned = ("left", *["right"] * 5, "left", "right")
    return tabulate(rows, [title, *_HEADS[1:]], disable_numparse=True, colalign=aligned)
