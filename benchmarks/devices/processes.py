"""Run a command of this machine with limits of time and of output: a device may stall, or flood."""

from __future__ import annotations

import contextlib
import queue
import selectors
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import IO

MOST_BYTES = 64 * 1024**2
# Bounds on what a stream may say: an hour of rounds is a few megabytes.
STREAM_BYTES, STREAM_LINES, LINE_BYTES, QUEUED_LINES = 256 * 1024**2, 5_000_000, 65536, 1000
# How long a command may take to end after its last line.
END_SECONDS = 30


class Flood(Exception):
    """A command said more than it may."""


class Silence(Exception):
    """A command said nothing for too long."""


def run_bounded(command: list[str], stdin: IO[bytes] | int, seconds: float) -> bytes:
    """Run a command to its end and return its standard output.

    Raises:
        subprocess.CalledProcessError: it ended with another code than 0.
        subprocess.TimeoutExpired: it had no end after ``seconds``.
        Flood: it said more than ``MOST_BYTES``.
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
    output, errors = bytes(said[process.stdout]), bytes(said[process.stderr])
    if returncode:
        raise subprocess.CalledProcessError(returncode, command, output, errors)
    return output


def stream_bounded(command: list[str], silence: float) -> Iterator[str]:
    """Yield the lines of a command while it runs; closing the iterator ends the command.

    Its standard input stays open until then, so that a command can notice when nobody listens any more.

    Raises:
        subprocess.CalledProcessError: it ended with another code than 0.
        Silence: it said nothing for ``silence`` seconds.
        Flood: it said more than ``STREAM_BYTES`` or ``STREAM_LINES``.
        OSError: it cannot be started.
    """
    with tempfile.TemporaryFile() as errors:
        # In a session of its own: Ctrl-C is for this process, which then ends the stream in order.
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
        )
        lines: queue.Queue[bytes | None] = queue.Queue(QUEUED_LINES)
        flooded: list[bool] = []

        def read() -> None:
            left, count = STREAM_BYTES, STREAM_LINES
            while left > 0 and count > 0 and (line := process.stdout.readline(LINE_BYTES)):
                left, count = left - len(line), count - 1
                lines.put(line)
            flooded.append(left <= 0 or count <= 0)
            lines.put(None)

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            while (line := lines.get(timeout=silence)) is not None:
                yield line.decode(errors="replace").rstrip("\r\n")
            if any(flooded):
                raise Flood(f"more than {STREAM_BYTES} bytes or {STREAM_LINES} lines of output")
            returncode = process.wait(timeout=END_SECONDS)
        except (queue.Empty, subprocess.TimeoutExpired):
            raise Silence(f"silent for {silence:.0f} s") from None
        finally:
            _end(process)
            while reader.is_alive():  # it may wait for room in the queue
                with contextlib.suppress(queue.Empty):
                    lines.get(timeout=0.1)
            process.stdout.close()
        if returncode:
            errors.seek(0)
            raise subprocess.CalledProcessError(returncode, command, stderr=errors.read())


def _end(process: subprocess.Popen[bytes]) -> None:
    """Close a stream's input, which tells the worker to end, and make sure that the client ends."""
    with contextlib.suppress(OSError):
        process.stdin.close()
    for stop in (lambda: None, process.terminate, process.kill):
        stop()
        try:
            process.wait(timeout=5)
            return
        except subprocess.TimeoutExpired:
            continue
