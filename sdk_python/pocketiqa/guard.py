"""What the process is told when native code dies: a runtime or an image decoder may crash on a hostile file.

Python cannot catch a segmentation fault. So the command runs in a forked child, and its parent, which has read
no stranger's byte, turns the child's death into one line and an exit status.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import warnings
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def guarded(run: Callable[[], int]) -> int:
    """Call ``run`` in a child process and return what it returns, or 1 with a line on standard error where the
    child died of a signal. Only on Linux: elsewhere forking a process that has loaded native libraries is not
    safe, and ``run`` is called in this process.

    The child returns from here as the parent would have, so buffers and exit handlers work as ever.
    """
    if sys.platform != "linux":
        return run()
    # A terminal's Ctrl-C reaches the child by itself; these come to the parent alone and are passed on.
    passed_on = (signal.SIGTERM, signal.SIGHUP)
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    signal.pthread_sigmask(signal.SIG_BLOCK, passed_on)  # until there is someone to pass them on
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's own threads survive a fork by its library's care
        child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, passed_on)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # never outlive a killed parent
        return run() if os.getppid() == parent else 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in passed_on:
        signal.signal(number, lambda number, _: os.kill(child, number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, passed_on)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status >= 0:
        return status
    if -status in (*passed_on, signal.SIGINT):
        return 128 - status
    name = signal.Signals(-status).name
    why = "out of memory, or killed by hand" if name == "SIGKILL" else "a file is damaged or hostile"
    print(f"pocketiqa: {name} ended the runtime or an image decoder ({why}); trust no result", file=sys.stderr)
    return 1
