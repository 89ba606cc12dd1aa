"""Bad input over all interfaces, and what it costs.

    python -m tests.hostile                # the table of bad inputs and outcomes; exit status 1 if one failed
    python -m tests.hostile memory         # peak memory a pixel of decoding, by format
    python -m tests.hostile growth         # memory over 10,000 photos

Linux only: every input meets a process of its own, by a fork.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pocketiqa.runtime import installed_runtimes

from tests.hostile import growth, photo_memory
from tests.hostile.everything import COUNTS, try_everything
from tests.hostile.place import Place
from tests.hostile.tally import Tally


def main() -> int:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile")
    parser.add_argument("task", nargs="?", choices=("inputs", "memory", "growth"), default="inputs")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--share", type=float, default=1.0, help=f"of {sum(COUNTS.values())} inputs and more")
    parser.add_argument("--keep", type=Path, help="a folder for the programs at which a runtime died")
    parser.add_argument("--bundle", type=Path, help="for growth; the embedded one by default")
    parser.add_argument("--photos", type=int, default=10_000, help="for growth")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with _quiet_native_code():
        return {"inputs": _inputs, "memory": _memory, "growth": _growth}[options.task](options)


def _inputs(options: argparse.Namespace) -> int:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hostile-") as root:
        tally = Tally()
        place = Place.make(Path(root), options.seed)
        fatal = try_everything(place, tally, options.share, lambda name: print(f"… {name}", flush=True))
    print(f"\n{tally}\n")
    print(f"{', '.join(f'{name} {number}' for name, number in installed_runtimes().items())} installed, ", end="")
    print(f"seed {options.seed}, {time.monotonic() - began:.0f} s, slowest child {tally.slowest:.1f} s, ", end="")
    print(f"largest growth of one child {tally.largest_mib:.0f} MiB")
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
        for i, (_, program) in enumerate(fatal):
            (options.keep / f"fatal-{i:03d}.pte").write_bytes(program)
    for failure in tally.failures:
        print(f"FAILED {failure}")
    return 1 if tally.failures else 0


def _memory(_: argparse.Namespace) -> int:
    print("| format | pixels | turned by EXIF | bytes a pixel | seconds |\n| --- | --- | --- | ---: | ---: |")
    for style, mode, turned, cost, seconds in photo_memory.measure():
        print(f"| {style} | {mode} | {'yes' if turned else 'no'} | {cost:.1f} | {seconds:.2f} |", flush=True)
    return 0


def _growth(options: argparse.Namespace) -> int:
    photos = sorted((Path(__file__).parents[2] / "mobile_export" / "golden").glob("*.jpg"))
    print(growth.measure(options.bundle, photos, options.photos))
    return 0


@contextmanager
def _quiet_native_code() -> Iterator[None]:
    """The runtimes log every fork and load to the descriptor of standard error; Python's own lines stay."""
    saved = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    sys.stderr = os.fdopen(saved, "w", buffering=1)
    yield


if __name__ == "__main__":
    sys.exit(main())
