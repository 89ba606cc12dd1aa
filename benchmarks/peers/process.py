"""One peer as a running process: its events, its limits, and what it said when it failed."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from benchmarks.peers.catalogue import Peer
from benchmarks.peers.environments import CHECKOUT, checkout_environment

LIMIT_SECONDS = 900


class PeerFailed(Exception):
    """A peer's process ended; the message is the last that it said."""

    exit_status = 1


class PeerProcess:
    """A running `benchmarks.peers.worker`."""

    def __init__(self, peer: Peer, python: Path, folder: Path, threads: int) -> None:
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            [python, "-m", "benchmarks.peers.worker", peer.loader, folder, str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, cwd=CHECKOUT,
            env={**os.environ, **checkout_environment(), "OMP_NUM_THREADS": str(threads)},
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
        self._send("run")
        return self.event("sample")["ms"]

    def end(self) -> dict:
        """What the peer knows at its end: ``peak_mib``, ``parameters`` and ``macs``."""
        self._send("end")
        return self.event("end")

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        self.errors.close()

    def _send(self, word: str) -> None:
        # A process that has ended says why with the event that is waited for.
        with suppress(BrokenPipeError):
            self.process.stdin.write(f"{word}\n")
            self.process.stdin.flush()
