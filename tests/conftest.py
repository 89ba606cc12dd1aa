"""What the rooms' tests share: real photographs that packages carry, and tiny bundles with real programs."""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path

import numpy as np
import pytest

# Each of torch's exports makes millions of objects, and looking for garbage among them takes its time.
gc.set_threshold(50_000, 20, 20)

# In a shell's background Ctrl-C is ignored, under nohup a hang-up: the tests' own programs would inherit it.
for _name, _usual in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
    if hasattr(signal, _name) and signal.getsignal(getattr(signal, _name)) is signal.SIG_IGN:
        signal.signal(getattr(signal, _name), _usual)

_WORKER = os.environ.get("PYTEST_XDIST_WORKER")

if _WORKER and hasattr(os, "sched_setaffinity"):
    # One core each, before torch counts them: the thread pools of two workers would wait for each other.
    _cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {_cores[int(_WORKER.removeprefix("gw")) % len(_cores)]})


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """The whole suite runs on every core, a file's tests in one process, and its slow tests in CI alone, or with an
    ``-m`` of one's own. Named files run whole, without others beside them."""
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if whole and not (config.option.markexpr or os.environ.get("CI")):
        config.option.markexpr = "not slow"
    free = not _WORKER and config.pluginmanager.hasplugin("xdist") and config.option.numprocesses is None
    if whole and free and not config.option.usepdb:
        # More than four would want more memory than time they save.
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        config.option.numprocesses, config.option.dist = min(cores, 4), "loadfile"
        config.option.maxworkerrestart = "0"  # the run would hang at its end, waiting for the lost worker's tests
        config.option.loadscopereorder = False  # by name: the slow files would come last, being short of tests


@pytest.fixture(scope="session")
def photos() -> dict[str, np.ndarray]:
    """Six real photographs by name, uint8 H×W×3 (about 300×450 to 512×512)."""
    return packaged_photos()


def packaged_photos() -> dict[str, np.ndarray]:
    """Those of scikit-image and, where it is installed, scikit-learn."""
    skimage_data = pytest.importorskip("skimage.data")
    named = {name: getattr(skimage_data, name)() for name in ("astronaut", "coffee", "chelsea", "rocket")}
    try:
        from sklearn.datasets import load_sample_image
    except ImportError:  # an environment of the SDK alone
        return named
    return named | {name: load_sample_image(f"{name}.jpg") for name in ("china", "flower")}


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, np.ndarray]) -> Path:
    """The shipped student's signature at 64×64. Copy it before changing it."""
    return _small_bundle("tiny", tmp_path_factory, photos)


@pytest.fixture(scope="session")
def score_only_bundle(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, np.ndarray]) -> Path:
    """A network that gives a score and nothing else, from one view of 48×80. Copy it before changing it."""
    return _small_bundle("score_only", tmp_path_factory, photos)


def _small_bundle(name: str, folders: pytest.TempPathFactory, photos: dict[str, np.ndarray]) -> Path:
    """Made by ``tests.tiny_bundles``: now, or before, in the folder that ``POCKETIQA_TINY_BUNDLES`` names."""
    if made_before := os.environ.get("POCKETIQA_TINY_BUNDLES"):
        return Path(made_before) / name
    pytest.importorskip("torch", reason="the tiny bundles are made with torch; see POCKETIQA_TINY_BUNDLES")
    from tests.made_once import made_once
    from tests.tiny_bundles import WRITERS

    return made_once(folders, name, lambda folder: WRITERS[name](folder / "bundle", photos)) / "bundle"
