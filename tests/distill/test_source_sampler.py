"""Batches of one source each."""

from __future__ import annotations

from collections import Counter

import pytest

from distill.training.source_sampler import SourceSampler

GROUPS = [list(range(30)), list(range(30, 90))]


def test_a_batch_never_mixes_two_sources_and_a_source_comes_as_often_as_it_has_rows() -> None:
    sampler = SourceSampler(GROUPS, batch=6, seed=0)
    batches = [next(sampler) for _ in range(600)]
    assert all(len(set(batch)) == 6 and (max(batch) < 30 or min(batch) >= 30) for batch in batches)
    assert 0.27 < sum(max(batch) < 30 for batch in batches) / 600 < 0.4


def test_every_row_comes_once_before_any_comes_twice() -> None:
    sampler = SourceSampler([list(range(12))], batch=4, seed=1)
    counts = Counter(row for _ in range(3) for row in next(sampler))
    assert set(counts.values()) == {1} and len(counts) == 12


def test_processes_share_a_batch_without_overlap() -> None:
    whole, first, second = (SourceSampler(GROUPS, 6, 2, rank, world) for rank, world in ((0, 1), (0, 2), (1, 2)))
    for _ in range(20):
        assert sorted(next(first) + next(second)) == sorted(next(whole))


def test_a_restored_state_goes_on_with_the_same_batches() -> None:
    sampler = SourceSampler(GROUPS, batch=4, seed=3)
    for _ in range(7):
        next(sampler)
    state = sampler.state_dict()
    expected = [next(sampler) for _ in range(20)]
    restored = SourceSampler(GROUPS, batch=4, seed=99)
    restored.load_state_dict(state)
    assert [next(restored) for _ in range(20)] == expected


@pytest.mark.parametrize(("groups", "batch", "said"), [([[1]], 4, "2 photos or more"), ([[1, 2]], 3, "a multiple")])
def test_batches_that_cannot_be_shared_are_refused(groups: list[list[int]], batch: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        SourceSampler(groups, batch, seed=0, rank=0, world=2)
