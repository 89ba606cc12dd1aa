"""Work that is done ahead of its use, in order, in threads, and never much of it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Done = TypeVar("Done")


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def done_ahead(
    work: Callable[[Item], Done], items: Iterable[Item], workers: int, at_once: Callable[[Item], bool]
) -> Iterator[tuple[Item, Callable[[], Done]]]:
    """Each item, and a function that returns ``work(item)`` or raises what that raised.

    With one worker an item is taken, and its work done, when it is asked for. With more, up to ``workers`` + 1 items
    are taken ahead and worked on in threads: Pillow lets go of the interpreter while it decodes and resizes. What was
    begun is ended, and what was not begun is dropped, when the iterator is closed. Where ``items`` raises, what was
    taken before comes first.

    Args:
        at_once: whether an item is worked on before the next is taken, for those that their owner may change.
    """
    if workers == 1:
        for item in items:
            yield item, _done(work, item).result
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="pocketiqa")
    waiting: deque[tuple[Item, Future[Done]]] = deque()
    items = iter(items)
    failure = None
    try:
        while failure is None:
            try:
                item = next(items)
            except Exception as error:  # StopIteration too
                failure = error
            else:
                waiting.append((item, _done(work, item) if at_once(item) else pool.submit(work, item)))
            while waiting and (failure is not None or len(waiting) > workers + 1):
                item, future = waiting.popleft()
                yield item, future.result
        if not isinstance(failure, StopIteration):
            raise failure
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _done(work: Callable[[Item], Done], item: Item) -> Future[Done]:
    future: Future[Done] = Future()
    try:
        future.set_result(work(item))
    except Exception as error:
        future.set_exception(error)
    return future
