"""What takes long to make is made once for all workers of a run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def made_once(folders: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder of this worker's own with what ``make`` wrote into another: the first worker that asks makes it."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        make(own := folders.mktemp(name))
        return own
    made = folders.getbasetemp().parent / f"made {name}"
    with FileLock(f"{made}.lock"):
        if not made.exists():
            make(part := folders.mktemp(f"{name} in the making"))
            part.rename(made)
    return shutil.copytree(made, folders.mktemp(name), dirs_exist_ok=True)
