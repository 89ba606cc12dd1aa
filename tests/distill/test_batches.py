"""Batches decoded in other processes are the same batches, in the same order, and can be gone on from."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from itertools import islice

import pytest
import torch

from distill.data.mos_sets import MosSetError
from distill.training.batches import Batch, batches
from distill.training.run_folder import TrainingStopped
from distill.training.source_sampler import SourceSampler

STEPS = 9


def load(rows: list[int], seed: int) -> Batch:
    noise = torch.rand(len(rows), generator=torch.Generator().manual_seed(seed))
    return {"rows": torch.tensor(rows), "noise": noise, "process": torch.tensor(os.getpid())}


def sampler() -> SourceSampler:
    return SourceSampler([list(range(10)), list(range(10, 16))], batch=4, seed=0)


def drawn(workers: int, load: Callable[[list[int], int], Batch] = load) -> list[tuple[Batch, dict[str, object]]]:
    return list(batches(load, sampler(), range(STEPS), 5, workers, pin=False))


def same(one: Batch, other: Batch) -> bool:
    return torch.equal(one["rows"], other["rows"]) and torch.equal(one["noise"], other["noise"])


def test_workers_decode_the_batches_that_one_process_decodes_and_take_nothing_from_its_random_state() -> None:
    before = torch.get_rng_state()
    here, elsewhere = drawn(0), drawn(2)
    assert torch.equal(torch.get_rng_state(), before)
    assert len(here) == len(elsewhere) == STEPS
    assert all(same(one, other) for (one, _), (other, _) in zip(here, elsewhere))
    assert {batch["process"].item() for batch, _ in here} == {os.getpid()}
    assert len({batch["process"].item() for batch, _ in elsewhere} - {os.getpid()}) == 2


def test_a_run_goes_on_after_any_batch_with_any_number_of_workers_whatever_had_been_decoded_ahead() -> None:
    whole = [batch for batch, _ in drawn(0)]
    for workers, again in ((2, 0), (0, 2)):
        first = list(islice(batches(load, sampler(), range(STEPS), 5, workers, pin=False), 4))
        resumed = sampler()
        resumed.load_state_dict(first[-1][1])
        rest = [batch for batch, _ in batches(load, resumed, range(4, STEPS), 5, again, pin=False)]
        assert all(map(same, [*(batch for batch, _ in first), *rest], whole))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_photo_that_cannot_be_read_is_named_in_one_line(workers: int) -> None:
    def missing(rows: list[int], seed: int) -> Batch:
        raise MosSetError("a.png: cannot be read")

    with pytest.raises(MosSetError) as caught:
        drawn(workers, missing)
    assert str(caught.value) == "a.png: cannot be read"


def test_a_worker_that_dies_stops_the_run_with_one_line() -> None:
    def dies(rows: list[int], seed: int) -> Batch:
        os.kill(os.getpid(), signal.SIGKILL)
        return {}

    with pytest.raises(TrainingStopped, match="start the same command again") as caught:
        drawn(1, dies)
    assert "\n" not in str(caught.value)
