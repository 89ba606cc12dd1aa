"""How long a photo takes in Chromium, with the package for browsers and the ONNX program of a bundle.

    python -m benchmarks browser --bundle dist/pocketiqa-lite0-0.1.0 --photo IMG_0001.jpg

The bundle is served to this machine alone, scores its golden photos in Chromium as its manifest says, and is timed
then: the browser's decoder, the resize in JavaScript, ONNX Runtime's wasm on one thread.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import numpy as np
from pocketiqa.bundle import Bundle
from pocketiqa.errors import PocketiqaError
from tabulate import tabulate

from benchmarks.statistics import Interval, quantile_intervals

WEB = Path(__file__).parents[1] / "mobile_export/integration/web"
BROWSERS = ("chromium", "google-chrome")


class NoBrowser(PocketiqaError):
    """What is needed to run a bundle in Chromium is not here; the message says what to install."""


class WrongInBrowser(PocketiqaError):
    """Chromium does not run the program, or it does not score there as the manifest says."""

    exit_status = 1


@dataclass(frozen=True)
class BrowserTimes:
    """Medians in milliseconds by step, milliseconds to load the bundle, the golden photos' largest difference, and what
    ran."""

    steps: dict[str, Interval]
    total: Interval
    loaded: float
    golden_max: float
    browser: str
    runtime: str
    variant: str
    photo: str
    n: int

    def __str__(self) -> str:
        rows = [[step, median] for step, median in {**self.steps, "total": self.total}.items()]
        head = (
            f"{self.photo}, {self.variant}, {self.runtime} in {self.browser}, one thread, n={self.n}; medians with "
            f"95 % intervals. Golden photos: max |Δ| {self.golden_max:.4f}; loaded in {self.loaded:.0f} ms"
        )
        return f"{head}\n{tabulate(rows, ['step', 'ms'], disable_numparse=True)}"


def measure(bundle: Path, photo: Path, runs: int, variant: str | None = None, warmups: int = 3) -> BrowserTimes:
    """Time one photo ``runs`` times.

    Args:
        bundle: the folder of a bundle that has ``web/`` with ``ort/``.
        photo: a file that Chromium reads.
        runs: how often, after ``warmups``.
        variant: ``onnx_int8`` or ``onnx_fp32``; by default the first of them that the bundle has.

    Raises:
        BundleError: no bundle.
        NoBrowser: node, Chromium, the npm packages or the bundle's ``web/ort`` are missing.
        WrongInBrowser: the golden photos' scores are not the manifest's, or Chromium failed.
    """
    root = Bundle.open(bundle).root.resolve()
    if not (root / "web/ort").is_dir():
        raise NoBrowser(f"{bundle} has no web/ort; run `npm install` in its folder web, or in {WEB} before the build")
    with tempfile.TemporaryDirectory() as folder:
        served = Path(folder) / "served"
        served.mkdir()
        (served / "bundle").symlink_to(root)
        (served / photo.name).symlink_to(photo.resolve())
        with serve(served) as origin:
            task = {"origin": origin, "photo": f"/{quote(photo.name)}", "variant": variant, "runs": runs}
            found = in_chromium(WEB / "tools/time.mjs", task | {"warmups": warmups})
    if found["golden"]["broken"]:
        raise WrongInBrowser(f"in {found['browser']} {found['golden']['broken'][0]}; nothing was timed")
    steps = {step: quantile_intervals(times, [0.5])[0] for step, times in found["ms"].items()}
    total = quantile_intervals(np.sum(list(found["ms"].values()), axis=0), [0.5])[0]
    return BrowserTimes(
        steps, total, found["loaded"], found["golden"]["maxAbs"], found["browser"], found["runtime"],
        found["variant"], photo.name, runs,
    )  # fmt: skip


def find_chromium() -> str:
    """The browser's path; raises NoBrowser, which names what is missing."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    missing = [name for name, found in (("node", shutil.which("node")), ("chromium", browser)) if not found]
    if missing:
        raise NoBrowser(f"not installed: {' and '.join(missing)}")
    if not (WEB / "node_modules/playwright-core").is_dir():
        raise NoBrowser(f"playwright-core is not installed; run `npm install` in {WEB}")
    return browser


def in_chromium(script: Path, task: dict[str, object]) -> dict[str, Any]:
    """The JSON that a script for node prints, which takes the task and ``chromium``, the browser's path.

    Raises:
        NoBrowser: what it needs is missing.
        WrongInBrowser: the script failed.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(task | {"chromium": find_chromium()}, file)
        file.flush()
        done = subprocess.run(["node", script, file.name], capture_output=True, text=True)
    if done.returncode:
        raise WrongInBrowser(f"Chromium did not do what {script.name} asks: {done.stderr.strip()}")
    return json.loads(done.stdout)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a folder to this machine alone, as ``python -m http.server`` does; yields the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
