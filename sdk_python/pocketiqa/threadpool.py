"""The one pool of worker threads that a process's ExecuTorch programs share: its size, and surviving a fork.

Neither runtime has a public call for it. The official one has private functions in its bindings; the
torch-free one exports the C++ methods from its extension module, which are called through ctypes. Where they
are not found, asking for a thread count raises ``RuntimeUnavailable`` and nothing is guessed.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Protocol

from pocketiqa.errors import RuntimeUnavailable

# Held while a program runs and while the pool is replaced.
LOCK = threading.RLock()


class Unloadable(Protocol):
    """A program that can give up what its runtime holds for it, and load it again when it is next run."""

    def unload(self) -> None: ...


# A loaded program keeps the address of the pool that it was loaded with, and would run on freed memory once
# that is replaced (a crash, seen with either runtime). So all programs are unloaded first.
PROGRAMS: weakref.WeakSet[Unloadable] = weakref.WeakSet()

_CXX = "_ZN10executorch9extension10threadpool"


def executorch_bindings() -> ModuleType:
    """The official runtime's extension module.

    Not through ``executorch.runtime``: for the class of one warning that imports the exporter as well, which
    takes twice as long as all else.

    Raises:
        RuntimeUnavailable: there is no torch.
    """
    try:
        importlib.import_module("torch")  # first: the extension needs torch's libraries
    except ModuleNotFoundError:
        raise RuntimeUnavailable(
            "executorch needs torch, which is not installed: pip install torch; on Python 3.12 or later "
            "pip install executorch-numpy-runtime needs none"
        ) from None
    try:
        return importlib.import_module("executorch.extension.pybindings._C")
    except ModuleNotFoundError:  # it had another name in 1.4
        return importlib.import_module("executorch.extension.pybindings.portable_lib")


@dataclass(frozen=True)
class ThreadPool:
    """How to read (``count``) and replace (``reset``) a runtime's pool; both act on the whole process."""

    count: Callable[[], int]
    reset: Callable[[int], object]

    @classmethod
    def of_executorch(cls) -> ThreadPool | None:
        """Through the official runtime's private functions; None when it has them no more."""
        bindings = executorch_bindings()
        count = getattr(bindings, "_threadpool_get_thread_count", None)
        reset = getattr(bindings, "_unsafe_reset_threadpool", None)
        return cls(count, reset) if count and reset else None

    @classmethod
    def of_library(cls, path: str) -> ThreadPool | None:
        """Through the C++ symbols that a shared library exports; None when it does not."""
        try:
            library = ctypes.CDLL(path)
            pool = getattr(library, f"{_CXX}14get_threadpoolEv")
            count = getattr(library, f"{_CXX.replace('_ZN', '_ZNK')}10ThreadPool16get_thread_countEv")
            reset = getattr(library, f"{_CXX}10ThreadPool24_unsafe_reset_threadpoolEj")
        except (OSError, AttributeError):
            return None
        pool.restype, pool.argtypes = ctypes.c_void_p, []
        count.restype, count.argtypes = ctypes.c_size_t, [ctypes.c_void_p]
        reset.restype, reset.argtypes = ctypes.c_bool, [ctypes.c_void_p, ctypes.c_uint32]
        return cls(lambda: int(count(pool())), lambda threads: reset(pool(), threads))


def set_threads(pool: ThreadPool | None, threads: int | None, runtime_name: str) -> None:
    """Give the process's pool ``threads`` workers, the caller included; None leaves the runtime's own choice.

    Raises:
        RuntimeUnavailable: not 1 to 256, or this runtime offers no way to set it.
    """
    check_threads(threads)
    if threads is None:
        return
    if pool is None:
        raise RuntimeUnavailable(f"{runtime_name} offers no way to set the thread count; leave threads=None")
    with LOCK:
        if pool.count() != threads:
            _replace(pool, threads)


def check_threads(threads: int | None) -> None:
    """Raises RuntimeUnavailable for what is neither None nor 1 to 256."""
    if threads is not None and (type(threads) is not int or not 1 <= threads <= 256):
        raise RuntimeUnavailable(f"threads is {threads!r}; it must be an integer of 1 to 256, or None")


def survive_fork(pool: ThreadPool) -> None:
    """Make ``os.fork`` safe from now on: a forked child has no worker threads, and would wait for them for
    ever. So the pool is emptied before a fork and refilled after it, on both sides."""
    size = 1

    def before() -> None:
        nonlocal size
        LOCK.acquire()
        size = pool.count()
        if size > 1:
            _replace(pool, 1)

    def after() -> None:
        if size > 1:
            _replace(pool, size)
        LOCK.release()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=before, after_in_parent=after, after_in_child=after)


def _replace(pool: ThreadPool, threads: int) -> None:
    for program in list(PROGRAMS):
        program.unload()
    pool.reset(threads)
