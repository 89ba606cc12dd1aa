"""The peers' rows as JSON, as a Markdown table and as a plot."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.peers.catalogue import BASELINE, STUDENT
from benchmarks.peers.measure import Row
from benchmarks.record import RecordError, write_whole

SCHEMA = "pocketiqa-peers"
SCHEMA_VERSION = 1
FEWEST = 5  # rounds, for an interval that says something


@dataclass
class PeersRecord:
    """A measurement of peers, one machine, one photo."""

    machine: str
    photo: str
    created: str
    commands: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    def merge(self, rows: list[Row]) -> None:
        """Take new rows in the place of those with the same name; our int8 program's samples add up."""
        old = {row.name: row for row in self.rows}
        for row in rows:
            if row.name == BASELINE.name and row.name in old:
                row.samples_ms = old[row.name].samples_ms + row.samples_ms
            old[row.name] = row
        self.rows = list(old.values())

    def write(self, path: Path) -> None:
        """Write JSON, whole or not at all."""
        data = {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **asdict(self)}
        write_whole(path, json.dumps(data, indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, path: Path) -> PeersRecord:
        """Read what `write` wrote; raises `RecordError` for anything else."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if (data.pop("schema"), data.pop("schema_version")) != (SCHEMA, SCHEMA_VERSION):
                raise ValueError(f"not {SCHEMA} version {SCHEMA_VERSION}")
            return cls(**{**data, "rows": [Row(**row) for row in data["rows"]]})
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RecordError(f"{path}: cannot be read as the peers' results: {error}") from None


def table(record: PeersRecord) -> str:
    """Two Markdown tables, the student's runtimes and the other networks, and who could not be measured."""
    student = next((row for row in record.rows if row.macs and row.group == STUDENT), None)
    parts = [f"{record.machine}; photo {record.photo}; {record.created}. Medians and ratios with 95 % intervals."]
    for group, title in ((STUDENT, "The same student"), ("another network", "Other networks")):
        rows = [row for row in record.rows if row.group == group and row.samples_ms]
        rows.sort(key=lambda row: row.p50.value)
        parts.append(
            f"| {title} | p50 ms | × ours | n | peak MiB | file MB | M params | G MACs | "
            + ("score |\n" if group == STUDENT else "SRCC |\n")
            + "| --- |" + " ---: |" * 8 + "\n"
            + "\n".join(_line(row, student) for row in rows)
        )  # fmt: skip
    parts += [f"not measured: {row.name}: {row.problem}" for row in record.rows if row.problem]
    return "\n\n".join(parts)


def plot(record: PeersRecord, path: Path) -> None:
    """Published accuracy against measured latency ratio, as SVG or PNG by the path's ending."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for row in record.rows:
        if row.srcc is not None and row.samples_ms:
            axes.errorbar(
                row.ratio.value, row.srcc, xerr=[[row.ratio.value - row.ratio.low], [row.ratio.high - row.ratio.value]],
                fmt="o", color="#2a6f97", capsize=2,
            )  # fmt: skip
            axes.annotate(row.name, (row.ratio.value, row.srcc), (5, 5), textcoords="offset points", fontsize=9)
    axes.axvline(1, color="#c1121f", linewidth=1, label="our int8 program")
    axes.set(
        xscale="log",
        xlabel="latency, times our int8 program's, measured side by side",
        ylabel="SRCC on LIVE-in-the-Wild, published",
    )
    axes.margins(x=0.12)  # room for the names
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=150)


def _line(row: Row, student: Row | None) -> str:
    # Every file of the student computes the same network.
    counted = student if row.group == STUDENT and student else row
    ours = row.name == BASELINE.name
    cells = [
        row.name,
        _interval(row.p50),
        "1" if ours else _interval(row.ratio),
        str(len(row.samples_ms)),
        f"{row.peak_mib:.0f}" if row.peak_mib else "",
        f"{row.file_bytes / 1e6:.2f}" if row.file_bytes else "",
        f"{counted.parameters / 1e6:.1f}" if counted.parameters else "",
        f"{counted.macs / 1e9:.2f}" if counted.macs else "",
        (f"{row.score:.4f}" if row.score is not None else "") if row.group == STUDENT else
        (f"{row.srcc:.3f}" if row.srcc is not None else ""),
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def _interval(interval: object) -> str:
    return f"{interval.value:.3g} [{interval.low:.3g}, {interval.high:.3g}]"
