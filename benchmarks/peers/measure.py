"""Measure peers in turns against our int8 program.

    python -m benchmarks peers --bundle dist/pocketiqa-lite0-0.1.0 --json peers.json

Every peer is a process of its own. In each round every process scores the photo once, one after the other, so a
slow spell of the machine hits all. A few peers run at a time, or their memory would not fit, each time with our int8
program beside them. A peer over ``SLOW`` takes part in every fifth round only.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from benchmarks.peers.catalogue import BASELINE, Peer
from benchmarks.peers.environments import CHECKOUT, EnvironmentFailed, checkout_environment, python_of
from benchmarks.peers.process import LIMIT_SECONDS, PeerFailed, PeerProcess
from benchmarks.peers.record import PeerSamples

TOGETHER = 5
SLOW = 3000.0  # milliseconds
SLOW_EVERY = 5


def measure(
    peers: list[Peer], root: Path, material: Path, threads: int, rounds: int, say: Callable[[str], None]
) -> list[PeerSamples]:
    """One result a peer, our int8 program first; a peer that cannot run has its reason in ``problem``.

    Args:
        root: holds the environments.
        material: what `benchmarks.peers.material` wrote.
        rounds: how often each peer scores the photo.
    """
    found = {peer.name: PeerSamples(peer.name, peer.group, peer.srcc, threads=threads) for peer in (BASELINE, *peers)}
    _convert(peers, root, material, found, say)
    waiting = [peer for peer in peers if found[peer.name].problem is None]
    for i in range(0, max(len(waiting), 1), TOGETHER):
        _measure_together(waiting[i : i + TOGETHER], root, material, found, rounds, say)
    return list(found.values())


def _convert(
    peers: list[Peer], root: Path, material: Path, found: dict[str, PeerSamples], say: Callable[[str], None]
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
                found[peer.name].problem = str(error)


def _run_converter(python: Path, kind: str, material: Path) -> None:
    done = subprocess.run(
        [python, "-m", "benchmarks.peers.convert", kind, material], capture_output=True, text=True, cwd=CHECKOUT,
        env={**os.environ, **checkout_environment()}, timeout=LIMIT_SECONDS, check=False,
    )  # fmt: skip
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise EnvironmentFailed(f"converting the student: {last[0][:300]}")


def _measure_together(
    peers: list[Peer],
    root: Path,
    material: Path,
    found: dict[str, PeerSamples],
    rounds: int,
    say: Callable[[str], None],
) -> None:
    """Measure a few peers together with our int8 program."""
    running: dict[str, PeerProcess] = {}
    try:
        for peer in (BASELINE, *peers):
            say(f"starting {peer.name}")
            samples = found[peer.name]
            with _without_failing(samples, running):
                python = python_of(peer.environment, root)
                running[peer.name] = PeerProcess(peer, python, material, samples.threads)
                ready = running[peer.name].event("ready")
                samples.runtime, samples.file_bytes = ready["runtime"], ready["file_bytes"]
                samples.score = ready["score"]
        for i in tqdm(range(rounds), desc="rounds", unit="round", file=sys.stderr, disable=None):
            mine = running[BASELINE.name].sample()
            found[BASELINE.name].samples_ms.append(mine)
            for name, process in list(running.items()):
                samples = found[name]
                skipped = i % SLOW_EVERY and samples.samples_ms and samples.samples_ms[0] > SLOW
                if name == BASELINE.name or skipped:
                    continue
                with _without_failing(samples, running):
                    samples.samples_ms.append(process.sample())
                    samples.baseline_ms.append(mine)
        for name, process in list(running.items()):
            samples = found[name]
            with _without_failing(samples, running):
                end = process.end()
                samples.peak_mib, samples.parameters, samples.macs = end["peak_mib"], end["parameters"], end["macs"]
    finally:
        for process in running.values():
            process.close()


@contextmanager
def _without_failing(samples: PeerSamples, running: dict[str, PeerProcess]) -> Iterator[None]:
    """Go on without a peer whose process fails; without our own program there is nothing to compare with."""
    try:
        yield
    except PeerFailed as error:
        samples.problem = str(error)
        running.pop(samples.name).close()
        if samples.name == BASELINE.name:
            raise
