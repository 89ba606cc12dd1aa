"""``python -m benchmarks peers``."""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from pocketiqa.bundle import Bundle
from pocketiqa.preprocess import open_photo

from benchmarks.devices.local import LocalDevice
from benchmarks.peers.catalogue import choose
from benchmarks.peers.environments import CHECKOUT
from benchmarks.peers.material import PHOTO_SIZE, write_material
from benchmarks.peers.measure import measure
from benchmarks.peers.record import PeersRecord, write_csv
from benchmarks.peers.table import plot, tables
from benchmarks.provenance import command, commit, sources
from distill.networks.registry import DEFAULT_NETWORK

ROOT = CHECKOUT / "runs" / "peers"
FEWEST = 5  # rounds, for an interval that says something


def peers(
    bundle: Path | None = None,
    photo: Path | None = None,
    network: str = DEFAULT_NETWORK,
    weights: Path | None = None,
    peers: str | None = None,
    threads: int = 1,
    rounds: int = 20,
    json: Path | None = None,
    csv: Path | None = None,
    plot_file: Path | None = None,
) -> int:
    """Measure other runtimes and other networks in turns with our int8 program, on this machine.

    Args:
        bundle: The bundle's folder or packed file, with int8 and fp32; without it the one inside the pocketiqa
            package.
        photo: The photo that all score; without it the bundle's first golden photo.
        network: The float network that the bundle was made from: a registered name, or FILE.py:FUNCTION.
        weights: Its weights; without it those that this repository ships.
        peers: Parts of names, separated by semicolons; all without it.
        threads: Threads of each.
        rounds: How often each scores the photo; very slow ones do so in every fifth round only.
        json: Write the samples here; those of peers that an earlier run wrote there are kept.
        csv: Write one line of figures a peer here.
        plot_file: Draw published accuracy against measured latency here, .svg or .png.
    """
    if rounds < FEWEST:
        raise ValueError(f"--rounds {rounds}: at least {FEWEST}, or the ratios have no interval")
    if plot_file and plot_file.suffix not in (".svg", ".png"):
        raise ValueError(f"--plot-file {plot_file}: name a file that ends with .svg or .png")
    chosen, opened = choose(peers), Bundle.open(bundle)
    golden = next(iter(opened.golden))
    record = PeersRecord.read(json) if json and json.is_file() else PeersRecord()
    record.machine, record.commit = str(LocalDevice().properties()), commit()
    record.photo = f"{photo.name if photo else Path(golden).name} at {PHOTO_SIZE[0]}×{PHOTO_SIZE[1]}"
    record.created = datetime.now(UTC).isoformat(timespec="seconds")
    ROOT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT) as folder:
        write_material(opened, open_photo(photo or opened.read(golden)), network, weights, Path(folder))
        record.merge(measure(chosen, ROOT, Path(folder), threads, rounds, _say))
    record.commands.append(command())
    print(tables(record.figures))
    for name, problem in record.problems.items():
        print(f"\nnot measured: {name}: {problem}")
    print(f"\nPhoto {record.photo}; medians and ratios with 95 % intervals.")
    print(sources(record.created, record.machine, record.commit, record.commands[-1]))
    if json:
        record.write(json)
    if csv:
        write_csv(record.figures, csv)
    if plot_file:
        plot_file.parent.mkdir(parents=True, exist_ok=True)
        plot(record.figures, plot_file)
    return 1 if record.problems else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr)
