"""``python -m benchmarks peers``."""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from pocketiqa.bundle import Bundle

from benchmarks.devices.local import LocalDevice
from benchmarks.peers.catalogue import choose
from benchmarks.peers.environments import CHECKOUT
from benchmarks.peers.material import PHOTO_SIZE, write_material
from benchmarks.peers.measure import measure
from benchmarks.peers.table import FEWEST, PeersRecord, plot, table

ROOT = CHECKOUT / "runs" / "peers"


def peers(
    bundle: Path | None = None,
    photo: Path | None = None,
    student: Path | None = None,
    peers: str | None = None,
    threads: int = 1,
    rounds: int = 20,
    json: Path | None = None,
    plot_file: Path | None = None,
) -> int:
    """Measure other runtimes and other networks in turns with our int8 program, on this machine.

    Args:
        bundle: The bundle's folder; without it the one inside the pocketiqa package, which must hold fp32 too.
        photo: The photo that all score; without it the bundle's first golden photo.
        student: The float student that the bundle was made from; without it the shipped one.
        peers: Parts of names, separated by semicolons; all without it.
        threads: Threads of each.
        rounds: How often each scores the photo; very slow ones do so in every fifth round only.
        json: Write the results here; those of peers that an earlier run wrote there are kept.
        plot_file: Draw published accuracy against measured latency here, .svg or .png.
    """
    if rounds < FEWEST:
        raise ValueError(f"--rounds {rounds}: at least {FEWEST}, or the ratios have no interval")
    chosen, opened = choose(peers), Bundle.open(bundle)
    photo = photo or opened.root / next(iter(opened.golden))
    record = PeersRecord.read(json) if json and json.is_file() else PeersRecord("", "", "")
    record.machine = _machine()
    record.photo = f"{photo.name} at {PHOTO_SIZE[0]}×{PHOTO_SIZE[1]}"
    record.created = datetime.now(UTC).isoformat(timespec="seconds")
    ROOT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT) as folder:
        write_material(opened, photo, student, Path(folder))
        record.merge(measure(chosen, ROOT, Path(folder), threads, rounds, _say))
    record.commands.append(" ".join(["python", "-m", "benchmarks", *sys.argv[1:]]))
    print(table(record))
    if json:
        record.write(json)
    if plot_file:
        plot(record, plot_file)
    return 1 if any(row.problem for row in record.rows) else 0


def _machine() -> str:
    device = LocalDevice().properties()
    known = [device.model, device.soc, device.machine, device.system, f"{device.cores} cores"]
    return ", ".join(part for part in known if part)


def _say(text: str) -> None:
    print(text, file=sys.stderr)
