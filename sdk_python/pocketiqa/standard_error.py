"""Standard error for our own lines only: the runtimes and torch write their remarks there too."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import IO, Any

from tqdm import tqdm

from pocketiqa.standard_streams import Nowhere, Patient, settle


def photo_bar(stderr: IO[str]) -> Callable[..., Any]:
    """``tqdm`` on standard error, where that is a terminal."""
    return functools.partial(tqdm, unit="photo", disable=None, file=stderr)


@contextlib.contextmanager
def quiet_runtimes() -> Iterator[IO[str]]:
    """Yield standard error for our own lines and keep everybody else's off it.

    The runtimes log from C++, one to the descriptor and one through ``sys.stderr``, and torch warns too.
    ``POCKETIQA_RUNTIME_LOG=1`` lets them speak, for example to find out why a program does not load.
    """
    shown = sys.stderr or Nowhere()
    if os.environ.get("POCKETIQA_RUNTIME_LOG"):
        yield Patient(shown)
        return
    settle(shown)
    with contextlib.ExitStack() as undo:
        undo.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        undo.callback(logging.disable, logging.NOTSET)
        undo.enter_context(contextlib.redirect_stderr(Nowhere()))
        saved = os.dup(2)
        undo.callback(os.close, saved)
        undo.callback(os.dup2, saved, 2)
        try:
            if shown.fileno() == 2:
                shown = os.fdopen(os.dup(saved), "w", buffering=1, errors="backslashreplace")
                undo.callback(shown.close)
        except (OSError, ValueError):
            pass  # replaced by something without a descriptor: no C++ writes there
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield Patient(shown)
