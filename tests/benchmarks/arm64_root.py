"""An arm64 Linux in a folder: Debian packages for adbd and Python, wheels for the SDK's needs.

    python -m tests.benchmarks.arm64_root      # prints the folder

About 60 MB are downloaded once and kept in the cache folder.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tests.debian_root import RootUnavailable, debian_root, run

PACKAGES = ("python3.13-minimal", "libpython3.13-stdlib", "libstdc++6", "adbd", "dash", "coreutils")
WHEELS = ("executorch-numpy-runtime==1.4.0", "numpy==2.4.6", "pillow")
PYTHON = "/usr/bin/python3.13"
SITE = "usr/local/lib/python3.13/dist-packages"
ADBD = "/usr/lib/android-sdk/platform-tools/adbd"
BYTES = 300_000_000


def arm64_root() -> Path:
    """The root, built on first use in the cache folder."""
    if shutil.which("uv") is None:
        raise RootUnavailable("not installed: uv")
    return debian_root("arm64", "arm64", PACKAGES, BYTES, also=WHEELS, finish=_install_wheels)


def _install_wheels(root: Path) -> None:
    platform = ["--python-platform", "aarch64-manylinux_2_28", "--python-version", "3.13"]
    target = ["--target", str(root / SITE), "--only-binary", ":all:"]
    run(["uv", "pip", "install", "-q", *target, *platform, *WHEELS])


if __name__ == "__main__":
    try:
        print(arm64_root())
    except RootUnavailable as error:
        sys.exit(f"no arm64 root: {error}")
