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
_SI_KERNEL = 0x80


def guarded(run: Callable[[], int]) -> int:
    """Call ``run`` in a child process and return what it returns, or 1 with a line on standard error where the
    child died of a signal. Only on Linux: elsewhere forking a process that has loaded native libraries is not
    safe, and ``run`` is called in this process.

    The child returns from here as the parent would have, so buffers and exit handlers work as ever.
    """
    if sys.platform != "linux":
        return run()
    passed_on = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    # Until there is someone to pass them on to, and then for sigwaitinfo, which takes blocked ones.
    signal.pthread_sigmask(signal.SIG_BLOCK, (*passed_on, signal.SIGCHLD))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's own threads survive a fork by its library's care
        child = os.fork()
    if child == 0:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # never outlive a killed parent
        if os.getppid() != parent:
            return 1
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (*passed_on, signal.SIGCHLD))
        return run()
    status = _status_of(child, passed_on)
    if status >= 0:
        return status
    if -status in passed_on:
        return 128 - status
    name = signal.Signals(-status).name
    why = "out of memory, or killed by hand" if name == "SIGKILL" else "a file is damaged or hostile"
    print(f"pocketiqa: {name} ended the runtime or an image decoder ({why}); trust no result", file=sys.stderr)
    return 1


def _status_of(child: int, passed_on: tuple[signal.Signals, ...]) -> int:
    """Wait for the child's end, handing on what this process alone is sent."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # a caller that ignores it would leave nothing to wait for
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        told = signal.sigwaitinfo((*passed_on, signal.SIGCHLD))
        # The kernel sends a terminal's Ctrl-C to the whole process group: the child has it already.
        if told.si_signo != signal.SIGCHLD and told.si_code != _SI_KERNEL:
            os.kill(child, told.si_signo)
