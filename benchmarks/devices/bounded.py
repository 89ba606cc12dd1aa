"""Run a command of this machine with a limit of time and of output: a device may stall, or flood."""

from __future__ import annotations

import selectors
import subprocess
import time
from typing import IO

MOST_BYTES = 64 * 1024**2


class Flood(Exception):
    """A command said more than ``MOST_BYTES``."""


def run_bounded(command: list[str], stdin: IO[bytes] | int, seconds: float) -> tuple[int, bytes, bytes]:
    """Run a command to its end.

    Returns:
        Its exit code, standard output and standard error.

    Raises:
        subprocess.TimeoutExpired: it had no end after ``seconds``.
        Flood: it said too much.
        OSError: it cannot be started.
    """
    process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said = {process.stdout: bytearray(), process.stderr: bytearray()}
    deadline = time.monotonic() + seconds
    try:
        with selectors.DefaultSelector() as open_streams:
            for stream in said:
                open_streams.register(stream, selectors.EVENT_READ)
            while open_streams.get_map():
                for key, _ in open_streams.select(max(0, deadline - time.monotonic())):
                    piece = key.fileobj.read1(65536)
                    said[key.fileobj] += piece
                    if not piece:
                        open_streams.unregister(key.fileobj)
                if time.monotonic() >= deadline:
                    raise subprocess.TimeoutExpired(command, seconds)
                if sum(map(len, said.values())) > MOST_BYTES:
                    raise Flood(f"more than {MOST_BYTES} bytes of output")
        returncode = process.wait(timeout=max(0.1, deadline - time.monotonic()))
    finally:
        process.kill()
        process.wait()
        for stream in said:
            stream.close()
    return returncode, bytes(said[process.stdout]), bytes(said[process.stderr])
