"""Work ahead is the same work in the same order, and never much of it."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pocketiqa.ahead import done_ahead
from pocketiqa.scorer import Scorer


def never(_: object) -> bool:
    return False


def outcomes(work: Callable, items: object, workers: int, at_once: Callable = never) -> list:
    found = []
    for item, done in done_ahead(work, items, workers, at_once):
        try:
            found.append((item, done()))
        except ValueError as error:
            found.append((item, str(error)))
    return found


def slow_or_wrong(item: int) -> int:
    time.sleep(0.001 * (item % 4))
    if item % 5 == 3:
        raise ValueError(f"{item} is wrong")
    return item * item


@pytest.mark.parametrize("workers", [1, 2, 3, 16])
def test_results_and_errors_keep_their_order(workers: int) -> None:
    wanted = [(i, f"{i} is wrong" if i % 5 == 3 else i * i) for i in range(40)]
    assert outcomes(slow_or_wrong, range(40), workers) == wanted
    assert outcomes(slow_or_wrong, [], workers) == []


@pytest.mark.parametrize(("workers", "most"), [(1, 1), (2, 4), (5, 7)])
def test_no_more_is_taken_than_is_said(workers: int, most: int) -> None:
    taken = itertools.count()
    ahead = done_ahead(str, taken, workers, never)
    for i in range(20):
        item, done = next(ahead)
        assert (item, done()) == (i, str(i))
    ahead.close()
    assert next(taken) <= 20 - 1 + most


@pytest.mark.parametrize("workers", [1, 3])
def test_what_was_taken_before_the_source_failed_comes_first(workers: int) -> None:
    def source() -> Iterator[int]:
        yield from range(5)
        raise OSError("the list ends here")

    found = []
    with pytest.raises(OSError, match="ends here"):
        for _, done in done_ahead(str, source(), workers, never):
            found.append(done())
    assert found == list("01234")


def test_no_thread_outlives_the_iterator() -> None:
    before = threading.active_count()
    ahead = done_ahead(slow_or_wrong, itertools.count(), 4, never)
    next(ahead)
    assert threading.active_count() > before
    ahead.close()
    assert threading.active_count() == before


def test_what_its_owner_may_change_is_worked_on_before_the_next_is_taken() -> None:
    buffer = [0]

    def source() -> Iterator[list[int]]:
        for i in range(20):
            buffer[0] = i
            yield buffer

    assert [found for _, found in outcomes(lambda item: item[0], source(), 4, lambda _: True)] == list(range(20))


@pytest.fixture(scope="module")
def scorer(tiny_bundle: Path) -> Scorer:
    return Scorer(tiny_bundle)


def test_a_batch_with_workers_gives_the_same_results_to_the_bit(
    scorer: Scorer, photos: dict[str, np.ndarray], tmp_path: Path
) -> None:
    paths: list[Path | bytes] = [tmp_path / "missing.jpg", b"no photo"]
    for name, photo in photos.items():
        Image.fromarray(photo).save(tmp_path / f"{name}.jpg")
        paths += [tmp_path / f"{name}.jpg", (tmp_path / f"{name}.jpg").read_bytes()]
    serial = [result.to_dict() for result in scorer.batch(paths * 3)]
    for workers in (2, 5):
        assert [result.to_dict() for result in scorer.batch(paths * 3, workers=workers)] == serial


def test_an_image_that_is_read_when_it_is_needed_may_come_twice(
    scorer: Scorer, photos: dict[str, np.ndarray], tmp_path: Path
) -> None:
    Image.fromarray(photos["coffee"]).save(tmp_path / "a.jpg")
    expected = scorer(tmp_path / "a.jpg").score
    for _ in range(3):
        lazy = Image.open(tmp_path / "a.jpg")
        assert {result.score for result in scorer.batch([lazy] * 6, workers=3)} == {expected}


@pytest.mark.parametrize("workers", [0, -1, 1.5, True, "2"])
def test_a_number_of_workers_that_is_none_is_refused_at_once(scorer: Scorer, workers: object) -> None:
    with pytest.raises(ValueError, match="workers is"):
        scorer.batch([], workers=workers)
