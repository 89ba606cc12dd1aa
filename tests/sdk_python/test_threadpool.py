"""The shared pool of worker threads: found in a library, replaced only where needed, emptied around a fork."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from pocketiqa.errors import RuntimeUnavailable
from pocketiqa.threadpool import LOCK, PROGRAMS, ThreadPool, set_threads, survive_fork


class FakePool:
    """Counts what happens to it."""

    def __init__(self, size: int) -> None:
        self.size, self.resets = size, []
        self.pool = ThreadPool(lambda: self.size, self.reset)

    def reset(self, threads: int) -> None:
        self.size = threads
        self.resets.append(threads)


class Loaded:
    """A program that remembers whether it was unloaded."""

    unloaded = False

    def unload(self) -> None:
        self.unloaded = True


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[], None]]:
    found: dict[str, Callable[[], None]] = {}
    monkeypatch.setattr(os, "register_at_fork", lambda **given: found.update(given))
    return found


def test_a_pool_of_the_right_size_is_left_alone_and_another_is_replaced_after_unloading() -> None:
    fake, program = FakePool(2), Loaded()
    PROGRAMS.add(program)
    set_threads(fake.pool, 2, "a runtime")
    set_threads(fake.pool, None, "a runtime")
    assert fake.resets == [] and not program.unloaded
    set_threads(fake.pool, 1, "a runtime")
    assert fake.resets == [1] and program.unloaded


@pytest.mark.parametrize("threads", [1, 256])
def test_the_extremes_are_allowed(threads: int) -> None:
    fake = FakePool(2)
    set_threads(fake.pool, threads, "a runtime")
    assert fake.size == threads


@pytest.mark.parametrize("threads", [0, 257, True, 1.0])
def test_what_is_no_number_of_threads_is_refused(threads: object) -> None:
    with pytest.raises(RuntimeUnavailable, match="1 to 256"):
        set_threads(FakePool(2).pool, threads, "a runtime")


def test_a_runtime_without_a_pool_is_named() -> None:
    with pytest.raises(RuntimeUnavailable, match="a runtime offers no way"):
        set_threads(None, 2, "a runtime")


@pytest.mark.parametrize(("size", "resets"), [(1, []), (2, [1, 2]), (4, [1, 4])])
def test_workers_are_gone_during_a_fork_and_back_on_both_sides(
    hooks: dict[str, Callable[[], None]], size: int, resets: list[int]
) -> None:
    fake = FakePool(size)
    survive_fork(fake.pool)
    assert set(hooks) == {"before", "after_in_parent", "after_in_child"}
    for after in ("after_in_parent", "after_in_child"):
        fake.resets.clear()
        hooks["before"]()
        assert fake.size == 1 and LOCK._is_owned()
        hooks[after]()
        assert fake.resets == resets and fake.size == size and not LOCK._is_owned()


def test_a_library_without_these_symbols_has_no_pool() -> None:
    assert ThreadPool.of_library("no/such/library.so") is None
    assert ThreadPool.of_library("libc.so.6") is None


def test_the_torch_free_runtimes_pool_is_found_counted_and_replaced() -> None:
    core = pytest.importorskip("executorch_numpy_runtime", reason="another runtime is installed")._core
    pool = ThreadPool.of_library(core.__file__)
    before = pool.count()
    try:
        for threads in (1, 3):
            set_threads(pool, threads, "executorch-numpy-runtime")
            assert pool.count() == threads
    finally:
        set_threads(pool, before, "executorch-numpy-runtime")
