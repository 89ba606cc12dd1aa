"""The environment of litert-torch, whose pins contradict this checkout's: made once, in a cache folder.

    python -m mobile_export.lower.litert_environment

The folder is ``pocketiqa/litert-…`` below ``$XDG_CACHE_HOME``, or below ``~/.cache``; delete it to have it made anew.
Once it is there, nothing is downloaded.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from mobile_export.lower.request import NotBuilt

LITERT_TORCH = "litert-torch==0.10.0"
_LIMIT = 1800  # seconds; from a full cache of uv it takes five


def converter_python() -> Path:
    """The interpreter of an environment with litert-torch, made if need be.

    Raises:
        NotBuilt: uv is missing, or a package does not install on this machine; the message says which.
    """
    folder, overrides = _wanted()
    if not folder.is_dir():
        _make(folder, overrides)
    return folder / "bin" / "python"


def is_made() -> bool:
    """Whether the environment is there already."""
    return _wanted()[0].is_dir()


def _wanted() -> tuple[Path, tuple[str, ...]]:
    """Its folder, and what is installed against litert-torch's own pins.

    It asks for torch below 2.15. The same torch on both sides reads what the other wrote, and the files are the same,
    byte by byte, as those that 2.14 gives.
    """
    overrides = (f"torch=={version('torch').partition('+')[0]}", "typing-extensions>=4.13")
    listing = "\n".join((platform.python_version(), LITERT_TORCH, *overrides))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "pocketiqa" / f"litert-{sha256(listing.encode()).hexdigest()[:12]}", overrides


def _make(folder: Path, overrides: tuple[str, ...]) -> None:
    if shutil.which("uv") is None:
        raise NotBuilt("uv, which makes the environment of litert-torch, is not installed (pip install uv)")
    partial = folder.with_name(f"{folder.name}.{os.getpid()}")
    partial.mkdir(parents=True)
    try:
        _run("venv", "--clear", "--relocatable", "--python", sys.executable, str(partial))
        (partial / "overrides.txt").write_text("\n".join(overrides))
        python = partial / "bin" / "python"
        _run("pip", "install", "--python", str(python), "--override", str(partial / "overrides.txt"), LITERT_TORCH)
        if not folder.is_dir():  # another build was faster
            partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _run(*words: str) -> None:
    try:
        done = subprocess.run(["uv", "--quiet", *words], capture_output=True, text=True, check=False, timeout=_LIMIT)
    except subprocess.TimeoutExpired:
        raise NotBuilt(f"uv {words[0]} did not end within {_LIMIT} seconds") from None
    if done.returncode:
        said = " ".join(done.stderr.split()) or "no message"
        raise NotBuilt(f"the environment of {LITERT_TORCH} could not be made: uv {words[0]}: {said[:300]}")


if __name__ == "__main__":
    try:
        print(converter_python())
    except NotBuilt as error:
        sys.exit(str(error))
