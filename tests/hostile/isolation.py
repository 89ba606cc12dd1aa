"""Run one hostile input in a process of its own, and say how that ended. Linux: it forks."""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

SECONDS = 30.0
MEMORY_MIB = 4096
# What a child may still write of its story: enough for a traceback.
_STORY_BYTES = 65536


@dataclass(frozen=True)
class Ending:
    """How a child ended.

    Attributes:
        kind: ``returned``, ``raised`` (it let an exception out), ``exited``, ``died`` (of a signal) or ``hung``.
        value: what it returned, JSON-ready; the traceback, the exit status, or the signal's name.
        grown_mib: by how much its peak resident memory was above that of its parent when it was forked.
        seconds: it took.
    """

    kind: str
    value: object
    grown_mib: float
    seconds: float


def in_a_child(function: Callable[[], object], seconds: float = SECONDS, memory_mib: int | None = MEMORY_MIB) -> Ending:
    """Call ``function`` in a forked child with limits of time and memory. The parent must have no threads of its
    own that hold locks, and have imported what the child needs: then a child costs milliseconds.

    Args:
        function: returns something JSON-ready of at most 64 KiB.
        seconds: of wall-clock time until the child is killed.
        memory_mib: of address space beyond the parent's; None for no limit.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    began = time.monotonic()
    before = _resident_mib()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _become_child(function, writer, memory_mib)
    os.close(writer)
    told = _read_until(reader, began + seconds)
    os.close(reader)
    hung = told is None
    if hung:
        os.kill(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    grown, took = usage.ru_maxrss / 1024 - before, time.monotonic() - began
    if hung:
        return Ending("hung", f"no end after {seconds:g} s", grown, took)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        return Ending("died", signal.Signals(-code).name, grown, took)
    try:
        kind, value = json.loads(told)
    except ValueError:
        return Ending("exited", code, grown, took)
    return Ending(kind, value, grown, took)


def _become_child(function: Callable[[], object], writer: int, memory_mib: int | None) -> None:
    faulthandler.disable()  # pytest's would write a page for every crash that is expected here
    try:
        if memory_mib is not None:
            limit = _address_space() + memory_mib * 2**20
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        ending = ("returned", function())
    except BaseException:
        ending = ("raised", traceback.format_exc()[-_STORY_BYTES // 4 :])
    os.write(writer, json.dumps(ending).encode()[:_STORY_BYTES])
    os._exit(0)


def _read_until(reader: int, deadline: float) -> bytes | None:
    """Everything up to the end of the pipe; None when the deadline came first."""
    told = b""
    while (left := deadline - time.monotonic()) > 0:
        if select.select([reader], [], [], left)[0]:
            piece = os.read(reader, _STORY_BYTES)
            if not piece:
                return told
            told += piece
    return None


def _resident_mib() -> float:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def _address_space() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
