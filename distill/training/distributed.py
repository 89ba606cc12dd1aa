"""One process or several: what ``torchrun`` says in the environment.

    torchrun --nproc_per_node 2 -m distill teacher …
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from pocketiqa.errors import one_line
from torch import distributed

from distill.training.run_folder import TrainingStopped


@dataclass(frozen=True)
class Process:
    """This process among ``world`` of them, numbered from 0, and the device it trains on."""

    rank: int
    world: int
    device: torch.device

    def gather(self, value: object) -> list[object]:
        """``value`` of every process, in the order of ranks, in each process."""
        if self.world == 1:
            return [value]
        values: list[object] = [None] * self.world
        distributed.all_gather_object(values, value)
        return values


@contextmanager
def this_process() -> Iterator[Process]:
    """The process as ``torchrun`` started it, joined to the others; a lone one without it.

    Raises:
        TrainingStopped: inside the block another process was lost. One that hangs counts as lost after PyTorch's own
            limit (30 minutes with gloo, 10 with NCCL).
    """
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        torch.cuda.set_device(device)
    if world == 1:
        yield Process(rank, world, device)
        return
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Process(rank, world, device)
    except RuntimeError as error:
        # gloo has no class of errors of its own.
        if isinstance(error, TrainingStopped) or not (isinstance(error, distributed.DistError) or "gloo" in str(error)):
            raise
        raise TrainingStopped(
            f"process {rank} of {world} lost another one, whose own message says why; what was saved is whole: start "
            f"the same command again and it goes on from there ({one_line(error)})"
        ) from None
    finally:
        distributed.destroy_process_group()
