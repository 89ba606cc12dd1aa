"""Batches decoded ahead of the training step, in other processes where asked: their order and bits stay the same."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

import torch
from pocketiqa.errors import one_line
from torch.utils.data import DataLoader, Dataset

from distill.data.mos_sets.photo_set import MosSetError
from distill.training.run_folder import TrainingStopped

Batch = dict[str, torch.Tensor]


class StatefulSampler(Protocol):
    """Draws rows without end; all later draws depend on its state alone."""

    def __next__(self) -> list[int]: ...

    def state_dict(self) -> dict[str, object]: ...


class _Batches(Dataset):
    """From rows and a seed to a batch, or to what is wrong with one of its photos."""

    def __init__(self, load: Callable[[list[int], int], Batch]) -> None:
        self._load = load

    def __getitem__(self, drawn: tuple[list[int], int]) -> Batch | MosSetError:
        try:
            return self._load(*drawn)
        except MosSetError as error:  # a worker's exception would reach the user as a traceback
            return error


def batches(
    load: Callable[[list[int], int], Batch], sampler: StatefulSampler, steps: range, seed: int, workers: int, pin: bool
) -> Iterator[tuple[Batch, dict[str, object]]]:
    """Each step's batch, and the state in which the sampler had drawn this batch and none after it.

    A run that goes on from such a state draws the same batches, whatever had been decoded ahead, and with any number
    of workers.

    Args:
        load: from rows and a seed to a batch on the CPU; the seed decides all that is random in it.
        sampler: draws the rows.
        steps: numbers of the steps.
        seed: of the run; with a step's number it gives the batch's.
        workers: processes that decode; 0 decodes in this one, between the steps.
        pin: page-lock the batches, for a GPU.

    Raises:
        MosSetError: a photo cannot be read.
        TrainingStopped: a worker died.
    """
    states: deque[dict[str, object]] = deque()

    def drawn() -> Iterator[tuple[list[int], int]]:
        for step in steps:
            rows = next(sampler)
            states.append(sampler.state_dict())
            yield rows, hash((seed, step)) % 2**31

    loader = DataLoader(
        _Batches(load),
        sampler=drawn(),
        batch_size=None,
        num_workers=workers,
        pin_memory=pin,
        # Forked, so that an objective need not be pickled; it is not started where there are none.
        multiprocessing_context="fork" if workers else None,
        # Its own: the loader would draw from the generator that the training draws from.
        generator=torch.Generator(),
    )
    try:
        for batch in loader:
            if isinstance(batch, MosSetError):
                raise batch
            yield batch, states.popleft()
    except RuntimeError as error:
        if isinstance(error, TrainingStopped) or "DataLoader worker" not in str(error):
            raise
        raise TrainingStopped(
            f"a process that decodes photos died ({one_line(error)}); the last checkpoint is whole: start the same "
            "command again and it goes on from there, on a machine with more memory"
        ) from None
