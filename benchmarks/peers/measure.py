"""Measure peers in turns against our int8 program.

    python -m benchmarks peers --bundle dist/pocketiqa-lite0-0.1.0 --json peers.json

Every peer is a process of its own. In each round every process scores the photo once, one after the other, so a
slow spell of the machine hits all; a few peers at a time, with our int8 program in each company, or their memory
would not fit. A peer over ``SLOW`` takes part in every fifth round only.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from benchmarks.peers.catalogue import BASELINE, Peer
from benchmarks.peers.environments import CHECKOUT, EnvironmentFailed, python_of
from benchmarks.statistics import Interval, interleaved_ratio, quantile_intervals

TOGETHER = 5
SLOW = 3000.0  # milliseconds
SLOW_EVERY = 5
LIMIT_SECONDS = 900


@dataclass
class Row:
    """One peer's result; samples in milliseconds, ``baseline_ms`` is our int8 program in the same rounds."""

    name: str
    group: str
    srcc: float | None = None
    runtime: str | None = None
    threads: int = 1
    score: float | None = None
    samples_ms: list[float] = field(default_factory=list)
    baseline_ms: list[float] = field(default_factory=list)
    peak_mib: float | None = None
    file_bytes: int | None = None
    parameters: int | None = None
    macs: int | None = None
    problem: str | None = None  # why there are no samples

    @property
    def p50(self) -> Interval:
        return quantile_intervals(self.samples_ms, [0.5])[0]

    @property
    def ratio(self) -> Interval:
        """Of this peer's median latency to our int8 program's."""
        return interleaved_ratio(self.samples_ms, self.baseline_ms)


class PeerFailed(Exception):
    """A peer's process ended; the message is the last that it said."""


class PeerProcess:
    """A running `benchmarks.peers.worker`."""

    def __init__(self, peer: Peer, python: Path, folder: Path, threads: int) -> None:
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(CHECKOUT), str(CHECKOUT / "sdk_python")]),
            "OMP_NUM_THREADS": str(threads),
            "CUDA_VISIBLE_DEVICES": "",
        }
        self.process = subprocess.Popen(
            [python, "-m", "benchmarks.peers.worker", peer.loader, folder, str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, cwd=CHECKOUT, env=environment,
        )  # fmt: skip

    def event(self, name: str) -> dict:
        """The next event of that name; raises `PeerFailed` when the process ends or takes too long."""
        watchdog = threading.Timer(LIMIT_SECONDS, self.process.kill)
        watchdog.start()
        try:
            for line in self.process.stdout:
                if line.startswith(f'{{"event": "{name}"'):
                    return json.loads(line)
        finally:
            watchdog.cancel()
        self.errors.seek(0)
        said = self.errors.read().decode(errors="replace").strip().splitlines()
        raise PeerFailed(said[-1][:300] if said else f"ended with {self.process.wait()}")

    def sample(self) -> float:
        """One latency in milliseconds."""
        self._tell("run")
        return self.event("sample")["ms"]

    def end(self) -> dict:
        """What the peer knows at its end."""
        self._tell("end")
        return self.event("end")

    def _tell(self, word: str) -> None:
        # A process that has ended says why with the event that is waited for.
        with suppress(BrokenPipeError):
            self.process.stdin.write(f"{word}\n")
            self.process.stdin.flush()

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        self.errors.close()


def measure(
    peers: list[Peer], root: Path, material: Path, threads: int, rounds: int, say: Callable[[str], None]
) -> list[Row]:
    """One row a peer, our int8 program first; a peer that cannot run has its reason in ``problem``.

    Args:
        root: holds the environments.
        material: what `benchmarks.peers.material` wrote.
        rounds: how often each peer scores the photo.
    """
    rows = {peer.name: Row(peer.name, peer.group, peer.srcc, threads=threads) for peer in (BASELINE, *peers)}
    _convert(peers, root, material, rows, say)
    waiting = [peer for peer in peers if rows[peer.name].problem is None]
    for i in range(0, max(len(waiting), 1), TOGETHER):
        _company(waiting[i : i + TOGETHER], root, material, rows, rounds, say)
    return list(rows.values())


def _convert(
    peers: list[Peer], root: Path, material: Path, rows: dict[str, Row], say: Callable[[str], None]
) -> None:
    """Make the environments and, in them, the student's files for their runtimes."""
    for name in dict.fromkeys(peer.environment for peer in peers):
        members = [peer for peer in peers if peer.environment == name]
        files = {peer.loader.partition(":")[2] for peer in members if peer.group == BASELINE.group}
        try:
            say(f"environment {name}")
            python = python_of(name, root)
            kind = "litert" if name == "litert" else "onnx"
            if name != "factory" and any(not (material / file).is_file() for file in files):
                say(f"converting the student for {kind}")
                _run_converter(python, kind, material)
        except EnvironmentFailed as error:
            for peer in members:
                rows[peer.name].problem = str(error)


def _run_converter(python: Path, kind: str, material: Path) -> None:
    path = os.pathsep.join([str(CHECKOUT), str(CHECKOUT / "sdk_python")])
    done = subprocess.run(
        [python, "-m", "benchmarks.peers.convert", kind, material], capture_output=True, text=True, cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""}, timeout=LIMIT_SECONDS, check=False,
    )  # fmt: skip
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise EnvironmentFailed(f"converting the student: {last[0][:300]}")


def _company(
    peers: list[Peer], root: Path, material: Path, rows: dict[str, Row], rounds: int, say: Callable[[str], None]
) -> None:
    """Measure a few peers together with our int8 program."""
    running: dict[str, PeerProcess] = {}
    try:
        for peer in (BASELINE, *peers):
            say(f"starting {peer.name}")
            row = rows[peer.name]
            with _losing(row, running):
                python = python_of(peer.environment, root)
                running[peer.name] = PeerProcess(peer, python, material, row.threads)
                ready = running[peer.name].event("ready")
                row.runtime, row.file_bytes, row.score = ready["runtime"], ready["file_bytes"], ready["score"]
        for i in tqdm(range(rounds), desc="rounds", unit="round", file=sys.stderr, disable=None):
            mine = running[BASELINE.name].sample()
            rows[BASELINE.name].samples_ms.append(mine)
            for name, process in list(running.items()):
                row = rows[name]
                skipped = i % SLOW_EVERY and row.samples_ms and row.samples_ms[0] > SLOW
                if name == BASELINE.name or skipped:
                    continue
                with _losing(row, running):
                    row.samples_ms.append(process.sample())
                    row.baseline_ms.append(mine)
        for name, process in list(running.items()):
            row = rows[name]
            with _losing(row, running):
                end = process.end()
                row.peak_mib, row.parameters, row.macs = end["peak_mib"], end["parameters"], end["macs"]
    finally:
        for process in running.values():
            process.close()


@contextmanager
def _losing(row: Row, running: dict[str, PeerProcess]) -> Iterator[None]:
    """Go on without a peer whose process fails; without our own program there is nothing to compare with."""
    try:
        yield
    except PeerFailed as error:
        row.problem = str(error)
        running.pop(row.name).close()
        if row.name == BASELINE.name:
            raise
