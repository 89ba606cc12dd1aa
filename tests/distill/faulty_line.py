"""Runs that come to harm, each in a process of its own, forked from one warm server: importing torch takes seconds.

This module stays light: every such process imports it.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType

import torch
from trained_line import Line, trained

from distill.training import run_folder, trainer
from distill.training.run_folder import RunFolder

STEPS = 16  # checkpoints at 7, 14 and 16
_WATCHED = {run_folder.__file__, trainer.__file__, torch.serialization.__file__}
_SAVING = _WATCHED - {trainer.__file__}

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["torch._dynamo", "matplotlib.backends.backend_agg", "matplotlib.figure"])


class Faulty(Line):
    """A line to which something happens at every step, counted from 1 in this process."""

    def __init__(self, happens: Callable[[int, dict[str, torch.Tensor]], None]) -> None:
        super().__init__()
        self._happens, self._step = happens, 0

    def load(self, rows: list[int], seed: int) -> dict[str, torch.Tensor]:
        batch = super().load(rows, seed)
        self._step += 1
        self._happens(self._step, batch)
        return batch


def nothing(*_: object) -> None:
    """In the place of curves, which take longer to draw than the training."""


def started(work: Callable[..., None], *arguments: object) -> BaseProcess:
    """``work(*arguments)`` in a process that has just been forked."""
    process = _SERVER.Process(target=work, args=arguments, daemon=True)
    process.start()
    return process


def ended(processes: list[BaseProcess]) -> list[int | None]:
    """How each of them ended: 0, or the negative number of the signal that killed it."""
    for process in processes:
        process.join(60)
    return [process.exitcode for process in processes]


def pair(run: Path, said: Path, dies_after: int | None) -> list[BaseProcess]:
    """Two processes that train one line; the second may die after a step. An error is written to ``said``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return [started(reported, said, _one_of_two, run, rank, port, dies_after if rank else None) for rank in (0, 1)]


def traced(run: Path, kill_at: int | None, lines: Path | None) -> None:
    """Train, and die before the ``kill_at``-th line of the code that is watched.

    Without one, ``lines`` tells which came: t of the training loop, s of what writes files.
    """
    RunFolder.draw_curves = nothing
    visited: list[str] = []

    def at_line(frame: FrameType, event: str, _: object) -> Callable | None:
        if event == "line":
            visited.append("s" if frame.f_code.co_filename in _SAVING else "t")
            if len(visited) == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
        return at_line

    sys.settrace(lambda frame, event, _: at_line if frame.f_code.co_filename in _WATCHED else None)
    _quietly(run)
    sys.settrace(None)
    if lines:
        lines.write_text("".join(visited))


def killed_while_drawing(run: Path) -> None:
    """Train, and die with half of the first curves written."""
    from matplotlib.figure import Figure

    def die(figure: Figure, stream: object, **_: object) -> None:
        stream.write(b"\x89PNG")
        os.kill(os.getpid(), signal.SIGKILL)

    Figure.savefig = die
    _quietly(run)


def killed_after(run: Path, last: int) -> None:
    """Train, and die when step ``last`` is done."""
    RunFolder.draw_curves = nothing
    _quietly(run, Faulty(lambda step, batch: os.kill(os.getpid(), signal.SIGKILL) if step == last + 1 else None))


def with_room(run: Path, room: int) -> None:
    """After the first checkpoint no file can become larger than ``room`` bytes: a write fails in its middle."""
    RunFolder.draw_curves = nothing

    def fill(step: int, batch: dict[str, torch.Tensor]) -> None:
        if step == 9:
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))

    try:
        _quietly(run, Faulty(fill))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def reported(file: Path, work: Callable[..., None], *arguments: object) -> None:
    """``work``, whose error is written to ``file``."""
    try:
        work(*arguments)
    except Exception as error:
        file.write_text(f"{type(error).__name__}: {error}")


def _quietly(run: Path, line: Line | None = None) -> None:
    torch.set_num_threads(1)
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115  closed with the process
    trained(run, STEPS, line=line)


def _one_of_two(run: Path, rank: int, port: int, dies_after: int | None) -> None:
    place = {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ |= place
    if dies_after:
        killed_after(run, dies_after)
    RunFolder.draw_curves = nothing
    _quietly(run)
