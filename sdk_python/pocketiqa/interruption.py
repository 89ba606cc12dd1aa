"""A request to end, by SIGTERM or SIGHUP, is what Ctrl-C is: an exception, so that whatever must be cleaned up is."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Ended(KeyboardInterrupt):
    """The process was asked to end by the signal ``number``."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.number = number


@contextlib.contextmanager
def endings_raise() -> Iterator[None]:
    """Inside the block, the first SIGINT raises ``KeyboardInterrupt`` and the first SIGTERM or SIGHUP raises ``Ended``.

    Those after it are ignored, because one keystroke or one ``kill`` may reach a process twice, and stay so after the
    block: the process is about to end, which they must not disturb either. A signal that someone else handles or
    ignores (``nohup``) stays theirs, and outside the main thread nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    is_ending = False
    ours = [number for number, handler in before.items() if handler in (signal.SIG_DFL, signal.default_int_handler)]

    def end(number: int, _: FrameType | None) -> None:
        nonlocal is_ending
        is_ending = True
        for each in ours:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt if number == signal.SIGINT else Ended(number)

    for number in ours:
        signal.signal(number, end)
    try:
        yield
    finally:
        if not is_ending:
            for number in ours:
                signal.signal(number, before[number])
