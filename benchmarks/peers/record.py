"""The peers' results: raw samples as JSON, to add up over several runs, and one row of figures a peer as CSV."""

from __future__ import annotations

import csv
from pathlib import Path

import msgspec
from pocketiqa.files import atomic_file

from benchmarks.peers.catalogue import BASELINE
from benchmarks.result_file import Amount, Count, Milliseconds, RecordError, Strict, read_record, write_record
from benchmarks.statistics import interleaved_ratio, quantile_intervals

SCHEMA = "pocketiqa-peers"
SCHEMA_VERSION = 2


class PeerSamples(Strict):
    """What was measured of one peer; ``baseline_ms`` are the baseline's samples of the same rounds."""

    name: str
    group: str
    srcc: float | None = None
    runtime: str | None = None
    threads: int = 1
    score: float | None = None
    samples_ms: list[Milliseconds] = []
    baseline_ms: list[Milliseconds] = []
    peak_mib: Amount | None = None
    file_bytes: Count | None = None
    parameters: Count | None = None
    macs: Count | None = None
    problem: str | None = None  # why there are no samples


class PeerFigures(Strict):
    """What is said about one peer: the columns of the CSV. Milliseconds; ratios to the baseline; intervals at 95 %."""

    name: str
    group: str
    runtime: str | None
    threads: int
    n: Count
    p50_ms: Milliseconds
    p50_low: Milliseconds
    p50_high: Milliseconds
    ratio: Amount | None  # of medians, peer / baseline; None for the baseline itself
    ratio_low: Amount | None
    ratio_high: Amount | None
    peak_mib: Amount | None
    file_mb: Amount | None
    parameters_m: Amount | None
    macs_g: Amount | None
    score: float | None  # of the photo, where the peer is the student
    srcc: float | None  # published


class PeersRecord(Strict):
    """A measurement of peers on one machine and one photo."""

    machine: str = ""
    photo: str = ""
    created: str = ""
    commit: str = ""
    commands: list[list[str]] = []
    peers: list[PeerSamples] = []
    schema: str = SCHEMA
    schema_version: int = SCHEMA_VERSION

    def merge(self, peers: list[PeerSamples]) -> None:
        """Take new results in the place of those with the same name; the baseline's samples add up."""
        old = {peer.name: peer for peer in self.peers}
        for peer in peers:
            if peer.name == BASELINE.name and peer.name in old:
                peer.samples_ms = old[peer.name].samples_ms + peer.samples_ms
            old[peer.name] = peer
        self.peers = list(old.values())

    def write(self, path: Path) -> None:
        """Write JSON, whole or not at all."""
        write_record(self, path)

    @classmethod
    def read(cls, path: Path) -> PeersRecord:
        """Read what `write` wrote; raises `RecordError` for anything else."""
        return read_record(cls, path)

    @property
    def figures(self) -> list[PeerFigures]:
        """Of every peer that has samples, the fastest first."""
        found = [_figures(peer) for peer in self.peers if peer.samples_ms]
        # Every file of the student computes the network that torch could count.
        counted = next((one for one in found if one.group == BASELINE.group and one.macs_g), None)
        for one in found:
            if counted and one.group == BASELINE.group:
                one.parameters_m, one.macs_g = counted.parameters_m, counted.macs_g
        return sorted(found, key=lambda one: one.p50_ms)

    @property
    def problems(self) -> dict[str, str]:
        """Why a peer could not be measured, by name."""
        return {peer.name: peer.problem for peer in self.peers if peer.problem}


def write_csv(figures: list[PeerFigures], path: Path) -> None:
    """One line a peer, whole or not at all; what is unknown is empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path, newline="") as file:
        table = csv.DictWriter(file, PeerFigures.__struct_fields__, lineterminator="\n")
        table.writeheader()
        table.writerows(msgspec.structs.asdict(one) for one in figures)


def read_csv(path: Path) -> list[PeerFigures]:
    """Read what `write_csv` wrote; raises `RecordError` for anything else."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [{key: value or None for key, value in row.items()} for row in csv.DictReader(file)]
        return msgspec.convert(rows, list[PeerFigures], strict=False)
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}") from None
    except (msgspec.ValidationError, UnicodeDecodeError, csv.Error) as error:
        raise RecordError(f"{path}: not a CSV of `python -m benchmarks peers`: {error}") from None


def _figures(peer: PeerSamples) -> PeerFigures:
    (p50,) = quantile_intervals(peer.samples_ms, [0.5])
    ratio = interleaved_ratio(peer.samples_ms, peer.baseline_ms) if peer.baseline_ms else None
    return PeerFigures(
        name=peer.name, group=peer.group, runtime=peer.runtime, threads=peer.threads, n=len(peer.samples_ms),
        p50_ms=p50.value, p50_low=p50.low, p50_high=p50.high,
        ratio=ratio and ratio.value, ratio_low=ratio and ratio.low, ratio_high=ratio and ratio.high,
        peak_mib=peer.peak_mib, file_mb=peer.file_bytes and peer.file_bytes / 1e6,
        parameters_m=peer.parameters and peer.parameters / 1e6, macs_g=peer.macs and peer.macs / 1e9,
        score=peer.score, srcc=peer.srcc,
    )  # fmt: skip
